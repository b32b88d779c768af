"""Train and run an audio classifier on top of VGGish: python -m torch_zoo.models.vggish.warm_start --help.

Exit codes are those of main.py: 0 success; 1 a clip could not be read; 2 wrong options; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.models.vggish.learning_curve import Row, sparkline, summarized, write_rows
from torch_zoo.models.vggish.tasks import BATCH_SIZE, Synthetic, examples_of
from torch_zoo.models.vggish.weights import VARIABLES, WEIGHTS
from torch_zoo.utils import checkpoints
from torch_zoo.utils.devices import cpu_cores, devices
from torch_zoo.utils.terminal.arguments import Parser, number, spelled_as_flags
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.training import summary
from torch_zoo.utils.training.folder import Folder
from torch_zoo.utils.training.labeled import Labeled, Task, batches
from torch_zoo.utils.types import MediaError, UsageError

if TYPE_CHECKING:
    from torch_zoo.utils.training.learner import Learner, Validation

MODEL, CURVE = "model.pt", "loss.csv"
STEPS_FROZEN, STEPS_TRAINING_VGGISH = 10_000, 60
STEPS_HELP = (
    f"training steps, one batch of {BATCH_SIZE} windows each (default: {STEPS_FROZEN}; with --train-vggish: "
    f"{STEPS_TRAINING_VGGISH})"
)
REPORTS = 10  # progress lines per run, each with the validation accuracy
VALIDATION_BATCH = 64
COUNTED = "The curves count windows, the rest clips, each by the mean score of its windows."

EXAMPLES = """examples:
  train on the classes of Google's demo, from random weights, in less than a minute:
    python -m torch_zoo.models.vggish.warm_start train synthetic --checkpoint random
  train on your own sounds, in my_sounds/dog/*.mp4, my_sounds/cat/*.wav, ...:
    python -m torch_zoo.models.vggish.warm_start train my_sounds
  score a clip for each class:
    python -m torch_zoo.models.vggish.warm_start predict output/warm_start/model.pt clip.mp4
"""


@command(interrupted="no model was saved")
def main(arguments: Sequence[str]) -> int:
    given = _parser().parse(arguments)
    with spelled_as_flags(given):
        failed = train(given) if given.command == "train" else predict(given)
    return 1 if failed else 0


def train(options: argparse.Namespace) -> int:
    """Train, then save the model, its learning curve and a summary; returns 0. Raises UsageError."""
    (device, *_), threads = devices(options.device, None), cpu_cores()
    path = Path(options.output_path) / "warm_start" / MODEL
    if path.exists() and not options.overwrite:
        raise UsageError(f"{path} already exists; replace it with --overwrite, or choose another --output-path")
    extractor = VGGishExtractor(checkpoint=options.checkpoint, seed=options.seed)
    task = _task(options.task, extractor)
    about = f"{options.task}: {task}"
    _say(f"{about}\nloading PyTorch and VGGish")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        summary.forget(str(path.parent))
    except OSError as error:
        raise UsageError(f"--output-path {options.output_path}: {error.strerror}") from error
    weights = checkpoints.resolve(options.checkpoint, WEIGHTS, options.seed, VARIABLES)

    import torch

    from torch_zoo.models.vggish import training
    from torch_zoo.models.vggish.classifier import Classifier
    from torch_zoo.utils.training.opening import described

    model = Classifier.start(weights, task.classes, options.seed).to(device)
    random, started = np.random.default_rng(options.seed), time.monotonic()
    torch.set_num_threads(threads)
    if options.train_vggish:
        model.requires_grad_(True)
    network = described("VGGish", model, options.checkpoint, options.seed, device)
    _say(network)
    if options.train_vggish:
        total, held_out = options.steps or STEPS_TRAINING_VGGISH, task.validation
        learner = training.all_layers(model, options.learning_rate)
        stream = training.endless_examples(task, random)
    else:
        _say("its embeddings are computed once")
        embeddings = training.embed(task.epoch(random), "training", extractor, device, threads)
        held_out = training.embed([task.validation], "validation", extractor, device, threads)
        total = options.steps or STEPS_FROZEN
        learner = training.head_only(model, options.learning_rate)
        stream = training.endless_embeddings(embeddings, random)
        _say(f"{len(embeddings.labels)} embeddings for training, {len(held_out.labels)} for validation")
    rows, validation = _trained(learner, stream, total, held_out)

    model.save(path)
    write_rows(rows, path.with_name(CURVE))
    _say(f"loss {sparkline([row.loss for row in rows])} (log scale)")
    found = summarized([about, network, COUNTED], rows, task, validation)
    _say(found.text())
    _say(summary.write(found, str(path.parent)))
    _say(f"model: {path}; loss of each step: {path.with_name(CURVE)}; {time.monotonic() - started:.0f} s")
    return 0


def _task(name: str, extractor: VGGishExtractor) -> Task:
    if name == "synthetic":
        return Synthetic(extractor.seed)
    return Folder(Path(name), partial(examples_of, extractor=extractor), extractor.seed, BATCH_SIZE)


def predict(options: argparse.Namespace) -> int:
    """Print the scores of each clip, highest first; returns the number of clips that failed. Raises UsageError."""
    (device, *_) = devices(options.device, None)

    from torch_zoo.models.vggish.classifier import Classifier

    model, extractor, failed = Classifier.load(options.model), VGGishExtractor(), 0
    for clip in options.clips:
        try:
            scores = model.scores(examples_of(clip, extractor), device)
        except MediaError as error:
            failed += 1
            _say(f"failed: {clip}: {error}")
        else:
            ranked = sorted(scores.items(), key=lambda item: -item[1])
            print(clip, *(f"{name} {score:.3f}" for name, score in ranked), sep="\t", flush=True)
    return failed


def _trained(
    learner: Learner, stream: Iterator[Labeled], total: int, held_out: Labeled
) -> tuple[list[Row], Validation]:
    """Train in tenths of the run; after each, validate and report. Raises UsageError if training diverges."""
    from torch_zoo.utils.training.epoch import train_epoch
    from torch_zoo.utils.training.progress import progress

    rows: list[Row] = []
    for last in sorted({max(1, total * part // REPORTS) for part in range(1, REPORTS + 1)}):
        first, number = len(rows), last - len(rows)
        steps = train_epoch(learner, islice(stream, number), number, f"steps {first + 1} to {last}")
        rows += [Row(step.loss, step.accuracy) for step in steps]
        parts = batches(held_out, VALIDATION_BATCH)
        number = -(-len(held_out.labels) // VALIDATION_BATCH)
        validation = learner.validate(progress(parts, f"step {last} of {total}, validation", number, "batch"))
        rows[-1] = rows[-1]._replace(validation_loss=validation.loss, validation_accuracy=validation.accuracy)
        loss, accuracy = np.mean([row[:2] for row in rows[first:]], axis=0)
        _say(
            f"step {last} of {total}: loss {loss:.4f}, accuracy {accuracy:.1%}; "
            f"validation: loss {validation.loss:.4f}, accuracy {validation.accuracy:.1%}"
        )
    return rows, validation


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m torch_zoo.models.vggish.warm_start",
        description="An audio classifier: VGGish, 100 units with ReLU, and one logit per class.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="train | predict")

    learn = commands.add_parser("train", help="train a classifier")
    learn.add_argument("task", help="synthetic (sine, ramp and noise), or a folder with one subfolder per class")
    learn.add_argument("--train-vggish", action="store_true", help="fine-tune VGGish too (default: frozen)")
    learn.add_argument(
        "--checkpoint", default="pretrained", help="VGGish's weights: pretrained (default), random, or a path"
    )
    learn.add_argument("--steps", type=number(int, 1), help=STEPS_HELP)
    learn.add_argument("--learning-rate", type=number(float, 0), default=1e-4, help="of Adam (default: %(default)s)")
    learn.add_argument("--seed", type=number(int, 0), default=0, help="random seed (default: %(default)s)")
    learn.add_argument(
        "--output-path", default="./output", help=f"where to save warm_start/{MODEL} and {CURVE} (default: %(default)s)"
    )
    learn.add_argument("--overwrite", action="store_true", help="replace an existing model")

    use = commands.add_parser("predict", help="print the score of each class for each clip")
    use.add_argument("model", help=f"a {MODEL} that training saved")
    use.add_argument("clips", nargs="+", help="anything FFmpeg can read")
    for each in (learn, use):
        each.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto", help="auto: CUDA if there is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
