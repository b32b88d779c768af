"""Metrics of single-label classification: average precision, ROC AUC and d' per class, their means, top-k accuracy.

Scores are (n, classes), one row per clip, higher for likelier classes; the target of a clip is the index of its class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOP_K = 5


@dataclass(frozen=True, slots=True)
class Metrics:
    """Of the classes that have a clip; the others can't be scored."""

    counted: np.ndarray  # (k,) index of each of these classes
    positives: np.ndarray  # (k,) its clips
    ap: np.ndarray  # (k,) average precision
    auc: np.ndarray  # (k,) area under the ROC curve
    top: np.ndarray  # (n, 5) the classes of highest score of each clip, best first
    means: dict[str, float]  # mAP, mAUC, dprime, top-1, top-5


def evaluate(scores: np.ndarray, target: np.ndarray) -> Metrics:
    """At least two classes must have a clip."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    counted, positives = np.unique(target, return_counts=True)
    ap = np.array([average_precision_score(target == one, scores[:, one]) for one in counted])
    auc = np.array([roc_auc_score(target == one, scores[:, one]) for one in counted])
    top = np.argsort(-scores, axis=1, kind="stable")[:, :TOP_K]
    shares = {name: float(hit.mean()) for name, hit in hits(top, target).items()}
    return Metrics(
        counted, positives, ap, auc, top, {name: float(x) for name, x in over_classes(ap, auc).items()} | shares
    )


def over_classes(ap: np.ndarray, auc: np.ndarray) -> dict[str, np.ndarray]:
    """(..., k) -> (...): unweighted means, without the classes that are NaN; d' is that of the mean AUC."""
    mean_auc = np.nanmean(auc, axis=-1)
    return {"mAP": np.nanmean(ap, axis=-1), "mAUC": mean_auc, "dprime": d_prime(mean_auc)}


def hits(top: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """(n,) booleans: is the target the class of highest score, and is it among the five?"""
    found = top == target[:, None]
    return {"top-1": found[:, 0], f"top-{TOP_K}": found.any(axis=1)}


def d_prime(auc: np.ndarray) -> np.ndarray:
    """The distance of two normal distributions of equal deviation, in deviations, whose ROC has this area: √2 Φ⁻¹(AUC).

    As for AudioSet (Hershey et al. 2017, arXiv:1609.09430).
    """
    from scipy.special import ndtri

    return np.sqrt(2) * ndtri(auc)
