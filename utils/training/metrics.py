"""How good logits are: accuracy and mean average precision; and which classes they stand for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Predicted(NamedTuple):
    """The most probable class of each of n clips."""

    classes: np.ndarray  # (n,) int64 index
    probabilities: np.ndarray  # (n,) 0 to 1

    @classmethod
    def of(cls, probabilities: np.ndarray) -> Predicted:
        """Of all classes, (n, classes)."""
        return cls(probabilities.argmax(1), probabilities.max(1))


NO_PREDICTIONS = Predicted(np.zeros(0, np.int64), np.zeros(0, np.float32))


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows (n, classes) whose highest logit is that of their class (n,)."""
    return float(np.mean(logits.argmax(1) == labels))


def mean_average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """The mean of the average precision over the classes that occur; scores (n, classes), class indices (n,).

    The average precision of a class is the sum of precision times increase of recall over its distinct scores, from
    the highest down, without interpolation: scikit-learn's average_precision_score.
    """
    return float(np.mean([average_precision(scores[:, label], labels == label) for label in np.unique(labels)]))


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Of one class: scores (n,), and which of the rows belong to it, one at least."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.diff(scores[order]) != 0, True)
    found = np.cumsum(positive[order])[last_of_ties]
    precision = found / (np.flatnonzero(last_of_ties) + 1)
    return float(np.diff(found, prepend=0) @ precision / positive.sum())
