"""Calibration: is what is predicted with 80 % confidence right in 80 % of the cases?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15  # of equal width, as Guo et al. 2017 (arXiv:1706.04599)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of the bins that have a prediction."""

    confidence: np.ndarray  # (b,) mean
    accuracy: np.ndarray  # (b,)
    number: np.ndarray  # (b,) predictions

    @property
    def error(self) -> float:
        """The expected calibration error: the mean of |accuracy - confidence| over the predictions."""
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.number))


def calibration(confidence: np.ndarray, correct: np.ndarray) -> Calibration:
    """Of predictions (n,) with the probability of the class predicted. A bin includes its upper edge."""
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    number = np.bincount(place, minlength=BINS)
    used = number > 0

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(place, values, BINS)[used] / number[used]

    return Calibration(mean(confidence), mean(correct), number[used])
