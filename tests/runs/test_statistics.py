"""Statistics of features against plain sums, and what is found suspicious."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from torch_zoo.utils.runs.statistics import statistics
from torch_zoo.utils.runs.totals import FeatureTotals
from torch_zoo.utils.types import Source


def rows(seed: int, count: int, zeros: int = 0) -> list[list[float]]:
    draw = random.Random(seed)
    drawn = [[float(np.float32(draw.gauss(3, 40))) for _ in range(7)] for _ in range(count)]
    for index in range(zeros):
        drawn[index % count][index] = 0.0
    return drawn


def test_they_are_those_of_plain_sums() -> None:
    plain = rows(1, 5, zeros=3)
    found = statistics({"x": np.array(plain, np.float32)})["x"]
    flat = [value for row in plain for value in row]
    norms = [math.sqrt(math.fsum(value**2 for value in row)) for row in plain]
    assert (found["rows"], found["values"], found["zeros"], found["constant"]) == (5, 35, 3, 0)
    assert found["sum"] == pytest.approx(math.fsum(flat), rel=1e-12)
    assert found["squares"] == pytest.approx(math.fsum(value**2 for value in flat), rel=1e-12)
    assert found["norm"] == pytest.approx(math.fsum(norms) / 5, rel=1e-12)


def test_only_rows_of_numbers_have_any() -> None:
    arrays = {
        "times": np.arange(3.0),
        "none": np.zeros((0, 4)),
        "names": np.array([["a"]]),
        "bytes": np.full((1, 4), 200, np.uint8),
    }
    found = statistics(arrays)
    assert list(found) == ["bytes"]
    assert found["bytes"]["sum"] == 800  # not modulo 256


def test_totals_are_those_of_all_rows_together() -> None:
    totals = FeatureTotals()
    parts = [rows(seed, seed + 2) for seed in range(3)]
    for part in parts:
        totals.add(Source("a.mp4", "a"), statistics({"x": np.array(part, np.float32)}))
    [found] = totals.content()["arrays"].values()  # type: ignore[attr-defined]
    flat = [value for part in parts for row in part for value in row]
    mean = math.fsum(flat) / len(flat)
    assert (found["sources"], found["rows"]) == (3, 9)
    assert found["mean"] == pytest.approx(mean, rel=1e-12)
    assert found["std"] == pytest.approx(math.sqrt(math.fsum((v - mean) ** 2 for v in flat) / len(flat)), rel=1e-9)
    assert sum(count for _, _, count in found["norms"]) == 3


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([[0.0, 0.0], [0.0, 0.0]], "all zeros"),
        ([[1.0, 2.0], [1.0, 2.0]], "the same in all rows"),
        ([[1.0, math.nan]], "NaN or infinite"),
        ([[1.0, -math.inf]], "NaN or infinite"),
        ([[1.0, 2.0]], None),
        ([[1.0, 2.0], [1.0, 2.5]], None),
    ],
)
def test_what_is_suspicious(values: list[list[float]], what: str | None) -> None:
    totals = FeatureTotals()
    totals.add(Source("a.mp4", "a"), statistics({"x": np.array(values, np.float32)}))
    content = totals.content()
    expected = [] if what is None else [{"source": "a.mp4", "array": "x", "what": what}]
    assert (content["suspects"], content["suspicious"]) == (expected, len(expected))
    [array] = content["arrays"].values()  # type: ignore[attr-defined]
    assert math.isfinite(array["mean"])
