"""Bootstrap intervals: the metrics again, exactly, of clips drawn with replacement (Efron 1979).

A resample is the number of times each clip was drawn. AP and AUC of a class need only the sums of these numbers
between the scores of its positives, and of all resamples these sums are one product with a sparse matrix: n additions
per class and resample, at most. 1000 resamples of 15,446 clips and 309 classes are 4.8e9 additions, some seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from torch_zoo.utils.evaluation.metrics import Metrics, d_prime, hits, over_classes

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Intervals:
    """Lower and upper bound of each estimate."""

    ap: np.ndarray  # (2, k)
    auc: np.ndarray  # (2, k)
    means: dict[str, np.ndarray]  # (2,)


def bootstrap(scores: np.ndarray, target: np.ndarray, metrics: Metrics, resamples: int, seed: int) -> Intervals:
    """Intervals of the metrics of `scores` (n, classes). A class that a resample lacks is left out of its means."""
    counts = draw(len(target), resamples, seed)
    ap, auc = np.empty((2, resamples, len(metrics.counted)))
    for number, one in enumerate(tqdm(metrics.counted, "bootstrap", unit=" classes", disable=None)):
        ap[:, number], auc[:, number] = resampled(scores[:, one], target == one, counts)
    means = over_classes(ap, auc) | {
        name: hit @ counts / len(target) for name, hit in hits(metrics.top, target).items()
    }
    bounds = {name: interval(means[name], np.array(metrics.means[name])) for name in means if name != "dprime"}
    bounds["dprime"] = d_prime(bounds["mAUC"])
    return Intervals(interval(ap, metrics.ap), interval(auc, metrics.auc), {name: bounds[name] for name in means})


def draw(clips: int, resamples: int, seed: int) -> np.ndarray:
    """(clips, resamples) float32: how many times each resample has each clip. Sums are exact below 2²⁴ clips."""
    random = np.random.default_rng(seed)
    counts = np.empty((clips, resamples), np.float32)
    for number in range(resamples):
        counts[:, number] = np.bincount(random.integers(clips, size=clips), minlength=clips)
    return counts


def resampled(scores: np.ndarray, positive: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AP and AUC of one class in each resample, ties as in scikit-learn; NaN where it has no positive or no negative.

    Args:
        scores: (n,) of the class.
        positive: (n,) is the clip of that class? At least one is.
        counts: (n, resamples), how many times each clip was drawn.
    """
    from scipy.sparse import csr_array

    thresholds = np.unique(scores[positive])
    below = np.searchsorted(thresholds, scores, side="right") - 1  # the highest threshold that a score reaches
    kind = np.where(positive, 0, np.where(scores == thresholds[below], 1, 2))
    [reached] = np.nonzero(below >= 0)  # lower scores play no part
    cell = (kind * len(thresholds) + below)[reached]
    place = np.ones(len(reached), np.float32), (cell, reached)
    sums = csr_array(place, shape=(3 * len(thresholds), len(scores))) @ counts
    found, tied, above = sums.astype(np.float64).reshape(3, len(thresholds), -1)[:, ::-1]  # from the top down

    positives = found.sum(axis=0)
    negatives = counts.sum(axis=0, dtype=np.float64) - positives
    true, false = found.cumsum(axis=0), (tied + above).cumsum(axis=0)
    with np.errstate(invalid="ignore"):  # 0 / 0
        precision = true / (true + false)
        ap = np.where(found, found * precision, 0).sum(axis=0) / positives
        auc = (found * (negatives - false + tied / 2)).sum(axis=0) / (positives * negatives)
    return ap, auc


def interval(values: np.ndarray, estimate: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """(resamples, ...) -> (2, ...): the quantiles of the resamples, moved so that their mean is the estimate.

    A clip drawn twice outranks itself, so that a resample's AP is too high on average; its spread is right.
    """
    tails = (1 - level) / 2
    bounds = np.nanquantile(values, (tails, 1 - tails), axis=0)
    moved: np.ndarray = np.clip(bounds + estimate - np.nanmean(values, axis=0), 0, 1)
    return moved
