"""The clips to evaluate and the class of each: test.csv, AStest.csv, or the test split of vggsound.csv."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from torch_zoo.utils.lists import vggsound
from torch_zoo.utils.lists.text import in_line
from torch_zoo.utils.types import UsageError


@dataclass(frozen=True, slots=True)
class GroundTruth:
    names: tuple[str, ...]  # of the clips, without .mp4
    target: np.ndarray  # (n,) index of the class of each


def read_ground_truth(path: str, classes: Sequence[str], only: Sequence[str]) -> GroundTruth:
    """The clips of a list whose class is one of `only`, in the order of the list; the target is an index into `only`.

    Raises UsageError, which names the row, for a class that is none of `classes` and for a clip listed twice.
    """
    known, index = set(classes), {name: number for number, name in enumerate(only)}
    lines: dict[str, int] = {}
    target = []
    for row in vggsound.rows(path):
        if row.label not in known:
            raise UsageError(f"{in_line(path, row.line)}: unknown class {row.label!r}{_nearest(row.label, classes)}")
        if row.split in ("", "test") and row.label in index:
            if first := lines.get(row.name):
                raise UsageError(
                    f"{in_line(path, row.line)}: {row.name} is in line {first} already; delete one of them"
                )
            lines[row.name] = row.line
            target.append(index[row.label])
    return GroundTruth(tuple(lines), np.array(target))


def _nearest(label: str, classes: Sequence[str]) -> str:
    near = difflib.get_close_matches(label, classes, 1)
    return f" (did you mean {near[0]!r}?)" if near else "; is this list of the same data set as --labels?"
