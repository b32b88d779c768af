"""The evaluation of a classifier: its metrics with their intervals, per class and over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from torch_zoo.utils.evaluation.bootstrap import Intervals, bootstrap
from torch_zoo.utils.evaluation.calibration import Calibration, calibration
from torch_zoo.utils.evaluation.confusion import confusion_matrix, confusions
from torch_zoo.utils.evaluation.metrics import Metrics, d_prime, evaluate, hits
from torch_zoo.utils.types import UsageError

COLUMNS = ("class", "clips", "ap", "ap_low", "ap_high", "auc", "auc_low", "auc_high", "dprime", "top_1", "top_5")

Row = tuple[str, int, float, float, float, float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    classes: tuple[str, ...]  # of the scores
    target: np.ndarray  # (n,) index of the class of each clip
    metrics: Metrics
    intervals: Intervals
    calibration: Calibration
    resamples: int

    def summary(self) -> dict[str, tuple[float, float, float]]:
        """mAP, mAUC, dprime, top-1 and top-5, each with the bounds of its interval."""
        bounds = self.intervals.means
        return {name: (value, *bounds[name].tolist()) for name, value in self.metrics.means.items()}

    def rows(self) -> list[Row]:
        """A row of COLUMNS for each class that has a clip; top_1 and top_5 are shares of its clips."""
        metrics = self.metrics
        recalls = [
            np.bincount(self.target[hit], minlength=len(self.classes))[metrics.counted] / metrics.positives
            for hit in hits(metrics.top, self.target).values()
        ]
        numbers = (metrics.ap, *self.intervals.ap, metrics.auc, *self.intervals.auc, d_prime(metrics.auc), *recalls)
        names = [self.classes[index] for index in metrics.counted]
        return list(zip(names, metrics.positives.tolist(), *(each.tolist() for each in numbers), strict=True))

    def confusions(self) -> list[tuple[str, str, int]]:
        """Class, another class that its clips were taken for, and how many; the most frequent first."""
        matrix = confusion_matrix(self.target, self.metrics.top[:, 0], len(self.classes))
        return confusions(matrix, self.classes)


def evaluated(scores: np.ndarray, target: np.ndarray, classes: Sequence[str], resamples: int, seed: int) -> Evaluation:
    """Of probabilities (n, classes). Raises UsageError where fewer than two classes have a clip."""
    if len(np.unique(target)) < 2:
        raise UsageError(f"the {len(target)} clips to evaluate must be of two classes or more")
    metrics = evaluate(scores, target)
    correct = hits(metrics.top, target)["top-1"]
    return Evaluation(
        tuple(classes),
        target,
        metrics,
        bootstrap(scores, target, metrics, resamples, seed),
        calibration(scores.max(axis=1), correct),
        resamples,
    )
