"""How a classifier on VGGish learned: every step, as a table and as a line of text, and the summary of it all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.training.labeled import Task
from torch_zoo.utils.training.metrics import Predicted
from torch_zoo.utils.training.summary import Point, Summary, table
from torch_zoo.utils.types import Source

if TYPE_CHECKING:
    from torch_zoo.utils.training.learner import Validation

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60  # characters


class Row(NamedTuple):
    """A step; of most, the validation set is not measured."""

    loss: float
    accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


def write_rows(rows: Sequence[Row], path: Path) -> None:
    with storage.atomic_write(str(path)) as file:
        file.write(table([("step", *Row._fields), *((number, *row) for number, row in enumerate(rows, 1))]))


def sparkline(losses: Sequence[float]) -> str:
    """The loss, from first step to last, on a log scale."""
    parts = np.array_split(losses, min(WIDTH, len(losses)))
    means = np.array([part.mean() for part in parts])
    logs = np.log(np.maximum(means, 1e-12))
    heights = np.rint((logs - logs.min()) / (np.ptp(logs) or 1.0) * (len(BARS) - 1)).astype(int)
    return f"{means[0]:.2g} {''.join(BARS[height] for height in heights)} {means[-1]:.2g}"


def points(rows: Sequence[Row]) -> list[Point]:
    """Those of the curves: each validation, and the mean of the steps since the one before."""
    found, first = [], 0
    for last, row in enumerate(rows, 1):
        if row.validation_loss is not None and row.validation_accuracy is not None:
            loss, accuracy = np.mean([each[:2] for each in rows[first:last]], axis=0).tolist()
            found.append(Point(last, loss, accuracy, row.validation_loss, row.validation_accuracy))
            first = last
    return found


def summarized(notes: Sequence[str], rows: Sequence[Row], task: Task, validation: Validation) -> Summary:
    """Of the last step, whose weights are saved; a clip's scores are the means over its windows, as in `predict`."""
    names, first, clip = np.unique(task.validation_clips, return_index=True, return_inverse=True)
    scores = 1 / (1 + np.exp(-validation.logits.astype(float)))  # (windows, classes)
    means = np.stack([np.bincount(clip, each) for each in scores.T], axis=1) / np.bincount(clip)[:, None]
    return Summary(
        title="A classifier on VGGish",
        notes=notes,
        unit="step",
        points=points(rows),
        best=len(rows),
        classes=task.classes,
        clips=[Source(name, name) for name in names.tolist()],
        target=validation.labels[first],
        predicted=Predicted.of(means),
    )
