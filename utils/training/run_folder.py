"""What a training run writes: checkpoints, the list of classes, the log of epochs and the clips that were skipped."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from torch_zoo.utils import storage
from torch_zoo.utils.training.summary import segment, table
from torch_zoo.utils.types import Source, UsageError

LAST, BEST, CLASSES, LOG, SKIPPED = "last.pth.tar", "best.pth.tar", "classes.txt", "log.csv", "skipped.csv"


@dataclass(frozen=True, slots=True)
class EpochReport:
    """A row of the log. Loss and accuracy are measured before each update, the rest after the epoch."""

    epoch: int  # from 1
    learning_rate: float  # of the first step
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_map: float  # mean average precision
    seconds: float


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A local folder or a URL. Its files are written atomically."""

    path: str

    def check(self, overwrite: bool, resume: bool) -> None:
        """Raises UsageError if there is a run already, or none to resume."""
        there = storage.exists(self.file(LAST))
        if there and not (overwrite or resume):
            raise UsageError(f"{self.file(LAST)} already exists; --resume continues that run, --overwrite replaces it")
        if resume and not there:
            raise UsageError(f"{self.file(LAST)}: no such file, so there is no run to --resume")

    def file(self, name: str) -> str:
        return storage.join(self.path, name)

    def save(self, name: str, content: Mapping[str, Any]) -> None:
        """A file for `torch.load` with weights_only=True."""
        with storage.atomic_write(self.file(name)) as file:
            torch.save(dict(content), file)

    def load(self) -> dict[str, Any]:
        """The last checkpoint, on the CPU. Raises UsageError if it is damaged or something else, OSError."""
        try:
            with storage.open_read(self.file(LAST)) as file:
                saved: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            return {key: saved[key] for key in ("model_state_dict", "learner", "rng", "settings", "log", "best")}
        except OSError:
            raise
        except Exception as error:  # torch raises a different type for each way a file can be wrong
            raise UsageError(f"{self.file(LAST)}: not a checkpoint that this version can resume, or damaged") from error

    def write_classes(self, classes: Sequence[str]) -> None:
        """One name per line, in the order of the logits."""
        self._write(CLASSES, "".join(f"{name}\n" for name in classes).encode(errors="surrogateescape"))

    def write_log(self, log: Iterable[EpochReport]) -> None:
        rows = [asdict(report) for report in log]
        self._write_table(LOG, tuple(rows[0]), (row.values() for row in rows))

    def write_skipped(self, skipped: Mapping[Source, str]) -> None:
        """The columns are those of a list of media, which can be extracted or copied from another source."""
        rows = ((*segment(source), reason) for source, reason in skipped.items())
        self._write_table(SKIPPED, ("path", "start", "end", "error"), rows)

    def skipped(self, sources: Iterable[Source]) -> dict[Source, str]:
        """Which of these were skipped, and why."""
        with storage.open_text(self.file(SKIPPED), newline="") as file:
            reasons = {tuple(segment): reason for *segment, reason in csv.reader(file)}
        return {source: reasons[segment(source)] for source in sources if segment(source) in reasons}

    def _write_table(self, name: str, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
        self._write(name, table([header, *rows]))

    def _write(self, name: str, content: bytes) -> None:
        with storage.atomic_write(self.file(name)) as file:
            file.write(content)
