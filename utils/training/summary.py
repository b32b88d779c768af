"""What came of a training: its curves, the confusions of its classes, and the clips it gets wrong, as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.evaluation.confusion import confusion_matrix, confusions
from torch_zoo.utils.extras import require
from torch_zoo.utils.training.metrics import Predicted
from torch_zoo.utils.types import Source, UsageError

CONFUSION, MISTAKES, PAGE, PICTURE = FILES = "confusion.csv", "mistakes.csv", "report.html", "report.png"
MISTAKE_COLUMNS = ("path", "start", "end", "true_class", "predicted_class", "probability")
SHOWN = 5  # confusions


class Point(NamedTuple):
    """Of the curves: an epoch, or a number of steps. Accuracies are 0 to 1."""

    number: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Summary:
    """`predicted` is what the saved network makes of the validation clips."""

    title: str
    notes: Sequence[str]  # what was trained, on what
    unit: str  # of the points: epoch or step
    points: Sequence[Point]
    best: int  # the number of the point whose weights are saved
    classes: Sequence[str]
    clips: Sequence[Source]  # for validation, n
    target: np.ndarray  # (n,) class indices
    predicted: Predicted

    @cached_property
    def matrix(self) -> np.ndarray:
        """How many clips of each class (rows) were taken for which (columns)."""
        return confusion_matrix(self.target, self.predicted.classes, len(self.classes))

    @cached_property
    def confusions(self) -> list[tuple[str, str, int]]:
        """Class, another class that its clips were taken for, and how many; the most frequent first."""
        return confusions(self.matrix, self.classes)

    @property
    def accuracy(self) -> float:
        """Share of the clips that are right."""
        return float(np.mean(self.predicted.classes == self.target))

    def mistakes(self) -> list[tuple[Source, str, str, float]]:
        """Clip, its class, the class predicted instead, and its probability; the most confident ones first."""
        wrong = np.flatnonzero(self.predicted.classes != self.target)
        order = wrong[np.argsort(-self.predicted.probabilities[wrong], kind="stable")]
        return [
            (
                self.clips[one],
                self.classes[self.target[one]],
                self.classes[self.predicted.classes[one]],
                float(self.predicted.probabilities[one]),
            )
            for one in order
        ]

    def text(self) -> str:
        """Accuracy and the most frequent confusions, for people."""
        right = int(np.trace(self.matrix))
        of_class = dict(zip(self.classes, self.matrix.sum(axis=1).tolist(), strict=True))
        lines = [
            f"{right} of {len(self.clips)} validation clips are right ({self.accuracy:.1%}), "
            f"{self.unit} {self.best}" + ("; the most frequent confusions:" if self.confusions else "")
        ]
        for true, other, number in self.confusions[:SHOWN]:
            lines.append(f"  {true} \N{RIGHTWARDS ARROW} {other}: {number} of {of_class[true]}")
        return "\n".join(lines)


def write(summary: Summary, folder: str) -> str:
    """Write FILES into a local folder or a URL; returns what is there, and what is missing why. Raises OSError."""
    rows = ((name, *row) for name, row in zip(summary.classes, summary.matrix.tolist(), strict=True))
    mistakes = ((*segment(clip), *others[:2], f"{others[2]:.4f}") for clip, *others in summary.mistakes())
    written = {CONFUSION: table([("class", *summary.classes), *rows]), MISTAKES: table([MISTAKE_COLUMNS, *mistakes])}
    missing = ""
    try:
        require("report", "matplotlib")
    except UsageError as error:
        missing = f"; no {PAGE} and {PICTURE}: {error}"
    else:
        from torch_zoo.utils.reports.training_page import training_page, training_picture

        written[PAGE] = training_page(summary).encode(errors="backslashreplace")
        written[PICTURE] = training_picture(summary)
    for name, content in written.items():
        with storage.atomic_write(storage.join(folder, name)) as file:
            file.write(content)
    return f"{', '.join(written)} are in {folder}{missing}"


def forget(folder: str) -> None:
    """Remove what an earlier training left. Raises OSError."""
    for name in FILES:
        storage.remove(storage.join(folder, name))


def segment(clip: Source) -> tuple[str, str, str]:
    """Path, start and end, as a list of media has them."""
    return clip.path, f"{clip.start:g}", "" if clip.end is None else f"{clip.end:g}"


def table(rows: Iterable[Iterable[object]]) -> bytes:
    """CSV; file names may hold any bytes."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(errors="surrogateescape")
