"""Metrics against scikit-learn, and the learning rate against its formula."""

from __future__ import annotations

import numpy as np
import pytest

from torch_zoo.utils.training.metrics import accuracy, average_precision, mean_average_precision
from torch_zoo.utils.training.schedule import schedule


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_is_that_of_scikit_learn(ties):
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    for _ in range(20):
        scores, positive = random.normal(size=200), random.random(200) < 0.2
        if ties:
            scores = scores.round(1)
        assert average_precision(scores, positive) == pytest.approx(
            metrics.average_precision_score(positive, scores), abs=1e-14
        )


def test_the_mean_is_over_the_classes_that_occur():
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(1)
    scores, labels = random.normal(size=(300, 12)).astype(np.float32), random.integers(0, 10, 300)
    expected = metrics.average_precision_score(np.eye(12)[labels][:, :10], scores[:, :10], average="macro")
    assert mean_average_precision(scores, labels) == pytest.approx(expected, abs=1e-14)
    assert accuracy(scores, labels) == np.mean(scores.argmax(1) == labels)


def test_perfect_scores_have_a_mean_average_precision_of_one():
    labels = np.arange(30) % 4
    assert mean_average_precision(np.eye(4)[labels], labels) == accuracy(np.eye(4)[labels], labels) == 1.0


def test_the_rate_rises_linearly_and_falls_as_a_cosine():
    factor = schedule("cosine", warmup=4, total=24)
    assert [factor(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert [factor(step) for step in (14, 24, 99)] == pytest.approx([0.5, 0.0, 0.0])
    assert factor(9) == pytest.approx(np.cos(np.pi / 8) ** 2)
    assert {schedule("constant", warmup=4, total=24)(step) for step in (4, 14, 23)} == {1.0}
