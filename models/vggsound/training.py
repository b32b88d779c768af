"""A training run, from the options of `models.vggsound.train` to a saved classifier."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict

import numpy as np
import torch

from torch_zoo.models.vggsound.clip_logits import ClipLogits
from torch_zoo.models.vggsound.trainable import Trainable
from torch_zoo.utils import storage
from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.digests import digest
from torch_zoo.utils.training import processes, summary
from torch_zoo.utils.training.cache import Cache, keys_of, make_room
from torch_zoo.utils.training.dataset import Divided, Listed, divided
from torch_zoo.utils.training.feeding import unreadable
from torch_zoo.utils.training.fit import History, Recipe, Training
from torch_zoo.utils.training.opening import described
from torch_zoo.utils.training.progress import say
from torch_zoo.utils.training.reading import ClipReader, FrontEnd
from torch_zoo.utils.training.run_folder import SKIPPED, EpochReport, RunFolder
from torch_zoo.utils.types import Source, UsageError

FOLDER = "training"  # in the output path
SKIPPED_SHOWN = 5


def train(trainable: Trainable, options: argparse.Namespace, listed: Listed) -> None:
    """Raises UsageError before any work, MediaError if a clip can no longer be read."""
    folder = RunFolder(storage.join(options.output_path, FOLDER))
    folder.check(options.overwrite, options.resume)
    if options.tensorboard and storage.is_url(folder.path):
        raise UsageError("--tensorboard needs an --output-path that is a local folder")
    with ExitStack() as ending, processes.joined(options.device) as device:
        cores = max(1, cpu_cores() // processes.number_here())
        torch.set_num_threads(cores)
        network = trainable.network(listed.classes).to(device)
        name = "VGGish" if trainable.model == "vggish" else f"{trainable.model} with {trainable.pooling}"
        about = described(name, network.network, trainable.checkpoint, trainable.seed, device)
        say(about)
        cache = _cache(options, trainable.front_end, listed)
        reader = ending.enter_context(closing(ClipReader(trainable.front_end, cache, options.num_decoders or cores)))
        skipped = {**listed.missing, **_unreadable(folder, reader, listed, options.resume)}
        clips = divided(listed, skipped, options.seed)
        training = _training(options, network, listed.classes, clips, reader, folder)
        history = training.resume() if options.resume else History()
        if processes.rank() == 0:
            folder.write_classes(listed.classes)
            folder.write_skipped(skipped)
            summary.forget(folder.path)
            _say_clips(folder, listed, clips, skipped)
        report = _reporter(folder, options, ending) if processes.rank() == 0 else _ignore
        for each in training.epochs(history):
            report(each)
        if processes.rank() == 0:
            _summarize(folder, [f"{options.data}: {listed}", about], listed.classes, clips, history)


def _cache(options: argparse.Namespace, front_end: FrontEnd, listed: Listed) -> Cache:
    keys = keys_of([clip.source for clip in listed.clips], front_end.settings)
    try:
        cache = make_room(options.cache_path, keys, front_end.array_bytes, options.cache_bytes)
    except OSError as error:
        raise UsageError(f"--cache-path {options.cache_path}: {error.strerror}") from error
    processes.barrier()  # nobody writes before all have made room
    if len(cache.kept) < len(keys):
        say(f"{options.cache_path} has room for {len(cache.kept)} of {len(keys)} clips; see --cache-bytes")
    return cache


def _unreadable(folder: RunFolder, reader: ClipReader, listed: Listed, resume: bool) -> Mapping[Source, str]:
    """Found by reading all clips, which fills the cache; a run that is resumed leaves out what it left out before."""
    if resume:
        return folder.skipped(clip.source for clip in listed.clips)
    return unreadable(reader, listed.clips)


def _training(
    options: argparse.Namespace,
    network: ClipLogits,
    classes: Sequence[str],
    clips: Divided,
    reader: ClipReader,
    folder: RunFolder,
) -> Training:
    names = ("epochs", "batch_size", "learning_rate", "warmup_epochs", "decay", "precision", "seed")
    recipe = Recipe(**{name: getattr(options, name) for name in names})
    architecture = {name: getattr(options, name) for name in ("model", "pooling", "window_seconds")}
    data = {
        "the digest of the class list": digest("\n".join(classes).encode()),
        "the number of training clips": len(clips.training),
        "the number of validation clips": len(clips.validation),
    }
    return Training(
        model=network.network,
        learner=recipe.learner(network, len(clips.training)),
        clips=clips,
        reader=reader,
        folder=folder,
        recipe=recipe,
        settings=architecture | {name: value for name, value in asdict(recipe).items() if name != "epochs"} | data,
    )


def _reporter(folder: RunFolder, options: argparse.Namespace, ending: ExitStack) -> Callable[[EpochReport], None]:
    """Says how each epoch went, and logs it for TensorBoard if that is wanted."""
    if options.tensorboard:
        from torch.utils.tensorboard import SummaryWriter

        writer = ending.enter_context(closing(SummaryWriter(folder.file("tensorboard"))))

    def report(epoch: EpochReport) -> None:
        learned = f"loss {epoch.loss:.4f}, accuracy {epoch.accuracy:.1%}"
        scores = f"accuracy {epoch.validation_accuracy:.1%}, mAP {epoch.validation_map:.3f}"
        validation = f"loss {epoch.validation_loss:.4f}, {scores}"
        say(f"epoch {epoch.epoch} of {options.epochs}: {learned}; validation: {validation}; {epoch.seconds:.0f} s")
        if options.tensorboard:
            for name, value in asdict(epoch).items():
                if name != "epoch":
                    writer.add_scalar(name.replace("validation_", "validation/"), value, epoch.epoch)
            writer.flush()

    return report


def _ignore(epoch: EpochReport) -> None:
    """The first process reports."""


def _say_clips(folder: RunFolder, listed: Listed, clips: Divided, skipped: Mapping[Source, str]) -> None:
    say(
        f"{len(listed.classes)} classes; {len(clips.training)} clips to train with, {len(clips.validation)} to validate"
    )
    if skipped:
        say(f"{len(skipped)} clips are skipped, as listed in {folder.file(SKIPPED)}:")
        for source, reason in list(skipped.items())[:SKIPPED_SHOWN]:
            say(f"  {source.path}: {reason}")


def _summarize(
    folder: RunFolder, notes: Sequence[str], classes: Sequence[str], clips: Divided, history: History
) -> None:
    """Of the best epoch, whose weights are saved."""
    found = summary.Summary(
        title="Training on sounds",
        notes=notes,
        unit="epoch",
        points=[
            summary.Point(each.epoch, each.loss, each.accuracy, each.validation_loss, each.validation_accuracy)
            for each in history.log
        ],
        best=history.best_epoch.epoch,
        classes=classes,
        clips=[clip.source for clip in clips.validation],
        target=np.array([clip.label for clip in clips.validation]),
        predicted=history.best,
    )
    say(found.text())
    say(summary.write(found, folder.path))
