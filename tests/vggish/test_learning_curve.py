"""How a classifier on VGGish learned: its curve, and what it makes of clips."""

from __future__ import annotations

import numpy as np
import pytest

from torch_zoo.models.vggish.learning_curve import Row, points, sparkline, summarized
from torch_zoo.utils.training.learner import Validation


def test_the_sparkline_follows_the_loss():
    assert sparkline([1.0, 10.0, 0.1, 0.1]) == "1 ▄█▁▁ 0.1"
    assert sparkline([1.0]) == "1 ▁ 1"


def test_the_curve_has_each_validation_with_the_mean_of_the_steps_before_it():
    rows = [Row(4, 0), Row(2, 0.5, 1.5, 0.75), Row(1, 1), Row(0.5, 1), Row(0.3, 0.7, 1.25, 1)]
    assert points(rows) == [
        (2, 3, 0.25, 1.5, 0.75),
        (5, pytest.approx(0.6), pytest.approx(0.9), 1.25, 1),
    ]


def test_a_clip_is_judged_by_the_mean_score_of_its_windows():
    """As `predict` does; the windows of a clip need not follow each other."""

    class Task:
        classes = ("cat", "dog")
        validation_clips = ("b.wav", "a.wav", "b.wav", "b.wav")

    logits = np.array([[2.0, -1.0], [-3.0, 1.0], [-4.0, 0.5], [-4.0, 0.25]])
    validation = Validation(np.ones(4), logits, np.array([0, 1, 0, 0]))
    summary = summarized([], [Row(1, 1, 1, 1)], Task(), validation)
    scores = 1 / (1 + np.exp(-logits))
    assert [clip.path for clip in summary.clips] == ["a.wav", "b.wav"]
    assert summary.target.tolist() == [1, 0]
    assert summary.predicted.classes.tolist() == [1, 1]
    assert summary.predicted.probabilities == pytest.approx([scores[1, 1], scores[[0, 2, 3], 1].mean()])
    assert [(clip.path, true, other) for clip, true, other, _ in summary.mistakes()] == [("b.wav", "cat", "dog")]
