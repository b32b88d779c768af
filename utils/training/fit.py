"""Train a classifier on clips, epoch after epoch, with a checkpoint after each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from torch_zoo.utils.predictions import softmax
from torch_zoo.utils.training import processes
from torch_zoo.utils.training.dataset import Divided
from torch_zoo.utils.training.epoch import train_epoch
from torch_zoo.utils.training.feeding import num_batches, read_batches, shares, training_order
from torch_zoo.utils.training.learner import Learner, Precision, Step, Validation, softmax_loss
from torch_zoo.utils.training.metrics import NO_PREDICTIONS, Predicted
from torch_zoo.utils.training.progress import progress
from torch_zoo.utils.training.reading import ClipReader
from torch_zoo.utils.training.run_folder import BEST, LAST, EpochReport, RunFolder
from torch_zoo.utils.training.schedule import Decay, schedule
from torch_zoo.utils.types import UsageError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train. Raises UsageError if a batch can't be shared by the processes."""

    epochs: int
    batch_size: int  # clips, over all processes
    learning_rate: float  # of Adam, after the warm-up
    warmup_epochs: float
    decay: Decay
    precision: Precision
    seed: int

    def learner(self, network: nn.Module, clips: int) -> Learner:
        batches = num_batches(clips, self.batch_size)
        if clips // batches < processes.number():
            raise UsageError(
                f"{clips} clips in batches of {self.batch_size} are too few for {processes.number()} processes"
            )
        rates = schedule(self.decay, warmup=round(self.warmup_epochs * batches), total=self.epochs * batches)
        return Learner(network, softmax_loss, self.learning_rate, schedule=rates, precision=self.precision)


@dataclass(slots=True)
class History:
    """Of a run, so far."""

    log: list[EpochReport] = field(default_factory=list)
    best: Predicted = NO_PREDICTIONS  # of the validation clips, in the best epoch

    @property
    def best_epoch(self) -> EpochReport:
        return max(self.log, key=lambda report: (report.validation_map, report.validation_accuracy))


@dataclass(frozen=True, kw_only=True)
class Training:
    """A run: `model` is what is saved, `learner` trains it."""

    model: nn.Module
    learner: Learner
    clips: Divided
    reader: ClipReader
    folder: RunFolder
    recipe: Recipe
    settings: Mapping[str, object]  # on which the result depends; plain values

    def resume(self) -> History:
        """Go back to the last checkpoint. Raises UsageError if it was made with other settings."""
        saved = self.folder.load()
        for name, value in self.settings.items():
            if saved["settings"].get(name) != value:
                raise UsageError(f"--resume: {name} was {saved['settings'].get(name)}, and must not become {value}")
        self.model.load_state_dict(saved["model_state_dict"])
        self.learner.load_state_dict(saved["learner"])
        set_rng_state(saved["rng"])
        best = (saved["best"][name].numpy() for name in Predicted._fields)
        return History([EpochReport(**row) for row in saved["log"]], Predicted(*best))

    def epochs(self, history: History) -> Iterator[EpochReport]:
        """The epochs that are left, each one saved before it is reported; adds them to what was history."""
        for number in range(len(history.log) + 1, self.recipe.epochs + 1):
            started = time.monotonic()
            order = training_order(len(self.clips.training), self.recipe.seed, number)
            groups = shares(self.clips.training, self.recipe.batch_size, order)
            title, rate = f"epoch {number} of {self.recipe.epochs}", self.learner.learning_rate
            loss, accuracy = _means(train_epoch(self.learner, read_batches(self.reader, groups), len(groups), title))
            validation = self._validated(f"{title}, validation")
            history.log.append(
                EpochReport(
                    epoch=number,
                    learning_rate=rate,
                    loss=loss,
                    accuracy=accuracy,
                    validation_loss=validation.loss,
                    validation_accuracy=validation.accuracy,
                    validation_map=validation.mean_average_precision,
                    seconds=time.monotonic() - started,
                )
            )
            if history.best_epoch is history.log[-1]:
                history.best = Predicted.of(softmax(validation.logits))
            if processes.rank() == 0:
                self._save(history)
            yield history.log[-1]

    def _validated(self, description: str) -> Validation:
        number = len(self.clips.validation)
        groups = shares(range(number), self.recipe.batch_size, np.arange(number))
        clips = [[self.clips.validation[place] for place in group] for group in groups]
        batches = progress(read_batches(self.reader, clips), description, len(clips), "batch")
        found = self.learner.validate(batches)
        order = np.argsort([place for share in processes.gathered(groups) for group in share for place in group])
        return Validation(found.losses[order], found.logits[order], found.labels[order])

    def _save(self, history: History) -> None:
        weights = {"model_state_dict": {key: value.cpu() for key, value in self.model.state_dict().items()}}
        about = {"settings": dict(self.settings), "log": [asdict(report) for report in history.log]}
        if history.best_epoch is history.log[-1]:
            self.folder.save(BEST, weights | about)
        self.folder.write_log(history.log)
        best = {name: torch.from_numpy(array) for name, array in history.best._asdict().items()}
        state = {"learner": self.learner.state_dict(), "rng": rng_state(), "best": best}
        # last, so that a run that was killed before it repeats the epoch
        self.folder.save(LAST, weights | state | about)


def rng_state() -> list[Tensor]:
    """Of torch's generators: the CPU's, and those of all CUDA devices."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else ())]


def set_rng_state(states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    if torch.cuda.is_available() and len(states) == 1 + torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states[1:])


def _means(steps: list[Step]) -> tuple[float, float]:
    """Loss and accuracy over the examples of all processes."""
    of_one = [np.concatenate([getattr(step, name).cpu().numpy() for step in steps]) for name in ("losses", "correct")]
    losses, correct = (np.concatenate(parts) for parts in zip(*processes.gathered(of_one), strict=True))
    return float(losses.mean()), float(correct.mean())
