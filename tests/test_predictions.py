"""The report of the top classes, compared with SciPy's softmax."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from torch_zoo.utils.predictions import kinetics_400, report
from torch_zoo.utils.types import Features, Predictions, Source


def reported(logits: dict[str, np.ndarray], times: np.ndarray, classes: list[str]) -> list[str]:
    return report(Features(Source("clip.mp4", "clip"), {}, times, Predictions(logits, classes))).splitlines()


def test_each_window_lists_its_top_5_classes_with_probabilities():
    logits = np.random.default_rng(0).normal(0, 3, (2, 8)).astype(np.float32)
    classes = [f"class {number}" for number in range(8)]
    lines = reported({"rgb": logits}, np.array([[0.0, 0.4], [0.4, 0.8]]), classes)
    assert lines[::6] == [f"clip: {span} s, rgb: logit, probability, class" for span in ("0.00 - 0.40", "0.40 - 0.80")]
    for number, row in enumerate(logits):
        listed = [line.split(maxsplit=2) for line in lines[6 * number + 1 : 6 * number + 6]]
        order = sorted(range(8), key=lambda index: -row[index])[:5]
        assert [name for *_, name in listed] == [classes[index] for index in order]
        np.testing.assert_allclose([float(logit) for logit, *_ in listed], row[order], atol=5.1e-4)
        np.testing.assert_allclose([float(share) for _, share, _ in listed], softmax(row)[order], atol=5.1e-4)


def test_streams_are_reported_in_order():
    logits = {"rgb": np.zeros((1, 5)), "flow": np.zeros((1, 5))}
    lines = reported(logits, np.array([[0.0, 1.0]]), list("abcde"))
    assert [line for line in lines if line.startswith("clip")] == [
        f"clip: 0.00 - 1.00 s, {stream}: logit, probability, class" for stream in ("rgb", "flow")
    ]


def test_without_predictions_there_is_nothing_to_report():
    assert report(Features(Source("clip.mp4", "clip"), {}, np.zeros((1, 2)))) == ""


def test_kinetics_400_is_in_alphabetical_order():
    names = kinetics_400()
    assert len(set(names)) == 400
    assert names == sorted(names)
    assert (names[0], names[-1]) == ("abseiling", "zumba")
