"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def confusion_matrix(target: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How many clips of each class (rows) were taken for which (columns); class indices (n,) -> (classes, classes)."""
    return np.bincount(target * classes + predicted, minlength=classes**2).reshape(classes, classes)


def confusions(matrix: np.ndarray, classes: Sequence[str]) -> list[tuple[str, str, int]]:
    """Class, another class that its clips were taken for, and how many; the most frequent first."""
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    pairs = np.argwhere(wrong)
    numbers = wrong[tuple(pairs.T)]
    order = np.argsort(-numbers, kind="stable")
    return [(classes[pairs[one, 0]], classes[pairs[one, 1]], int(numbers[one])) for one in order]
