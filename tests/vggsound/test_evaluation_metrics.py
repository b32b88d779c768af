"""Metrics equal scikit-learn's, their definitions and the published figures; intervals are as wide as they vary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from torch_zoo.utils.evaluation.bootstrap import bootstrap, draw, interval, resampled
from torch_zoo.utils.evaluation.calibration import calibration
from torch_zoo.utils.evaluation.metrics import d_prime, evaluate, hits, over_classes

sklearn_metrics = pytest.importorskip("sklearn.metrics")

PUBLISHED = [  # AUC and d' of VGGSound's README, rows A to M; D is left out, whose d' needs an AUC of .924
    (0.899, 1.803), (0.916, 1.950), (0.910, 1.900), (0.927, 2.058), (0.944, 2.253), (0.950, 2.327), (0.968, 2.627),
    (0.970, 2.660), (0.947, 2.292), (0.972, 2.703), (0.949, 2.309), (0.973, 2.735),
]  # fmt: skip


def clips(number: int, classes: int, seed: int = 0, decimals: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Scores (number, classes), higher for the target; few decimals make ties."""
    random = np.random.default_rng(seed)
    target = random.integers(classes, size=number)
    scores = random.normal(size=(number, classes)) + 1.5 * (target[:, None] == np.arange(classes))
    return (scores if decimals is None else scores.round(decimals)), target


def test_metrics_equal_the_golden_ones(golden: Path) -> None:
    with np.load(golden / "golden_vggsound_metrics.npz") as expected:
        metrics = evaluate(expected["pred"], expected["target"].argmax(axis=1))
        np.testing.assert_allclose(metrics.ap, expected["ap"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(metrics.auc, expected["auc"], rtol=0, atol=1e-12)
        for name in ("mAP", "mAUC", "dprime"):
            assert metrics.means[name] == pytest.approx(float(expected[name]), rel=0, abs=1e-12)


def test_metrics_equal_their_definitions() -> None:
    """Pair by pair and threshold by threshold."""
    scores, target = clips(60, 4, decimals=1)
    metrics = evaluate(scores, target)
    for one in range(4):
        mine, positive = scores[:, one], target == one
        pairs = mine[positive][:, None] - mine[~positive]
        assert metrics.auc[one] == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean(), abs=1e-12)
        recall = ap = 0.0
        for threshold in sorted(set(mine), reverse=True):
            above = mine >= threshold
            ap += (positive[above].sum() / positive.sum() - recall) * positive[above].mean()
            recall = positive[above].sum() / positive.sum()
        assert metrics.ap[one] == pytest.approx(ap, abs=1e-12)


@pytest.mark.parametrize(("auc", "published"), PUBLISHED)
def test_d_prime_of_a_published_auc_is_the_published_one(auc: float, published: float) -> None:
    half = 0.0005  # of the last digit
    assert d_prime(np.array(auc - half)) - half <= published <= d_prime(np.array(auc + half)) + half


def test_top_k_accuracy_equals_scikit_learns() -> None:
    scores, target = clips(200, 12)
    found = evaluate(scores, target).means
    for k in (1, 5):
        assert found[f"top-{k}"] == pytest.approx(sklearn_metrics.top_k_accuracy_score(target, scores, k=k), abs=1e-12)


def test_classes_without_a_clip_are_left_out() -> None:
    scores, target = clips(50, 3)
    wider = np.insert(scores, 1, 9.0, axis=1)  # a class that every clip is taken for
    metrics, narrow = evaluate(wider, np.where(target > 0, target + 1, 0)), evaluate(scores, target)
    np.testing.assert_array_equal(metrics.counted, [0, 2, 3])
    np.testing.assert_array_equal(metrics.ap, narrow.ap)
    assert metrics.means["mAP"] == narrow.means["mAP"]
    assert metrics.means["top-1"] == 0


@pytest.mark.parametrize("decimals", [None, 1, 0], ids=["distinct", "ties", "many ties"])
def test_a_resample_scores_as_its_clips_do(decimals: int | None) -> None:
    """In scikit-learn: as weights, and as rows written out."""
    scores, target = clips(70, 5, decimals=decimals)
    counts = draw(70, 20, seed=1)
    for one in range(5):
        ap, auc = resampled(scores[:, one], target == one, counts)
        for number in range(20):
            weights = counts[:, number]
            arguments = (target == one, scores[:, one])
            expected = sklearn_metrics.average_precision_score(*arguments, sample_weight=weights)
            assert ap[number] == pytest.approx(expected, abs=1e-12)
            assert auc[number] == pytest.approx(
                sklearn_metrics.roc_auc_score(*arguments, sample_weight=weights), abs=1e-12
            )
            written_out = (np.repeat(each, weights.astype(int)) for each in arguments)
            assert ap[number] == pytest.approx(sklearn_metrics.average_precision_score(*written_out), abs=1e-12)


def test_each_resample_has_as_many_clips_drawn_at_random() -> None:
    counts = draw(1000, 200, seed=0)
    assert (counts.sum(axis=0) == 1000).all()
    assert counts.var() == pytest.approx(1, abs=0.05)  # that of a Poisson distribution, almost
    np.testing.assert_array_equal(counts, draw(1000, 200, seed=0))
    assert (counts != draw(1000, 200, seed=1)).any()


def test_a_class_that_a_resample_lacks_is_left_out_of_it() -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.7]])
    ap, auc = resampled(
        scores[:, 0], np.array([True, False, False]), np.array([[0, 1, 3], [2, 1, 0], [1, 1, 0]], float)
    )
    np.testing.assert_array_equal(ap, [np.nan, 1, 1])  # without a positive, as usual, without a negative
    np.testing.assert_array_equal(auc, [np.nan, 1, np.nan])


def test_intervals_are_as_wide_as_the_metrics_vary_between_test_sets() -> None:
    """Many classes with few clips each, where resamples have a higher mAP than the clips."""
    size, classes = 300, 30

    def means(seed: int) -> dict[str, np.ndarray]:
        scores, target = clips(size, classes, seed)
        once = np.ones((size, 1))
        each = [resampled(scores[:, one], target == one, once) for one in np.unique(target)]
        return over_classes(*np.array(each)[:, :, 0].T)

    scores, target = clips(size, classes)
    metrics = evaluate(scores, target)
    found = bootstrap(scores, target, metrics, resamples=500, seed=0).means
    others = [means(seed) for seed in range(1, 251)]
    for name in ("mAP", "mAUC", "dprime"):
        low, high = found[name]
        assert low < metrics.means[name] < high
        spread = 2 * 1.96 * np.std([each[name] for each in others])
        assert high - low == pytest.approx(spread, rel=0.2), name
    share = metrics.means["top-1"]  # binomial
    assert np.ptp(found["top-1"]) == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / size), rel=0.1)


def test_interval_has_the_quantiles_around_the_estimate() -> None:
    values = np.linspace(0.4, 0.6, 1001)[:, None] + np.array([0.0, 0.1])
    np.testing.assert_allclose(interval(values, np.array([0.5, 0.9])), [[0.405, 0.805], [0.595, 0.995]], atol=1e-12)


def test_calibration_of_few_predictions() -> None:
    found = calibration(np.array([0.95, 1.0, 0.05, 0.35, 0.35]), np.array([True, False, False, True, True]))
    np.testing.assert_allclose(found.confidence, [0.05, 0.35, 0.975])
    np.testing.assert_allclose(found.accuracy, [0, 1, 0.5])
    assert found.error == pytest.approx((0.05 + 2 * 0.65 + 2 * 0.475) / 5)


def test_hits_are_of_the_highest_scores() -> None:
    scores, target = np.array([[0.1, 0.9, 0.0], [0.5, 0.3, 0.2]]), np.array([1, 1])
    found = hits(evaluate(np.vstack([scores, scores]), np.array([1, 1, 0, 0])).top[:2], target)
    assert found["top-1"].tolist() == [True, False]
