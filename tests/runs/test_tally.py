"""What a run adds up, in a record that stays small."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from torch_zoo.utils.engines.news import Load
from torch_zoo.utils.runs.series import MOST_SAMPLES, Series
from torch_zoo.utils.runs.tally import Tally
from torch_zoo.utils.runs.totals import MOST_REASONS, OTHERS, Histogram, Reasons
from torch_zoo.utils.types import Outcome, Source

STATISTICS = {"x": {"rows": 2, "values": 4, "sum": 1.0, "squares": 1.0, "zeros": 0, "norm": 0.5, "constant": 0}}


def done(number: int, seconds: float = 10.0) -> Outcome:
    return Outcome(Source(f"{number}.mp4", f"{number}"), "done", "", "", seconds, STATISTICS)


def failed(message: str, path: str = "a.mp4") -> Outcome:
    return Outcome(Source(path, "a"), "failed", message)


def reasons(*outcomes: Outcome) -> list[Any]:
    found = Reasons()
    for outcome in outcomes:
        found.add(outcome)
    return found.content()


def load(seconds: float, busy: float | None, waiting: float, ready: int = 1) -> Load:
    return Load(seconds, busy, waiting, 3, 4, ready)


def test_messages_that_differ_in_numbers_are_one_reason() -> None:
    found = reasons(
        failed("truncated: 2.24 s of 5.31 s"), failed("no audio stream"), failed("truncated: 1 s of 3 s", "b.mp4")
    )
    assert found == [
        {"reason": "truncated: # s of # s", "count": 2, "example": "a.mp4"},
        {"reason": "no audio stream", "count": 1, "example": "a.mp4"},
    ]


def test_a_message_that_is_always_the_same_keeps_its_numbers() -> None:
    message = "no progress for 60 s (timeout=60)"
    assert reasons(failed(message), failed(message, "b.mp4"))[0]["reason"] == message


def test_a_path_in_a_message_makes_no_reason_of_its_own() -> None:
    found = reasons(*(failed(f"{path}: No such file or directory", path) for path in ("x/a.mp4", "b.mp4")))
    assert [(each["reason"], each["count"]) for each in found] == [("…: No such file or directory", 2)]


def test_reasons_are_bounded() -> None:
    found = reasons(*(failed("x" * (number + 1)) for number in range(3 * MOST_REASONS)))
    assert len(found) == MOST_REASONS + 1
    assert found[0] | {"example": ""} == {"reason": OTHERS, "count": 2 * MOST_REASONS, "example": ""}


def test_histograms_hold_each_value_within_its_bin() -> None:
    for value in (0.96, 1.0, 9.6, 3600.0):
        histogram = Histogram()
        histogram.add(value)
        [(low, high, count)] = histogram.content()
        assert count == 1
        assert low <= value * (1 + 1e-6)
        assert value < high == pytest.approx(low * 2**0.125, rel=1e-4)


def test_a_long_series_keeps_even_distances_and_exact_totals() -> None:
    series = Series(["seconds", "total"])
    for now in range(100_000):
        if series.due(now):
            series.add((now, 3 * now))
    samples: Any = series.content()["samples"]
    assert MOST_SAMPLES / 2 < len(samples) <= MOST_SAMPLES
    assert all(total == 3 * now for now, total in samples)
    gaps = {later[0] - earlier[0] for earlier, later in pairwise(samples)}
    assert len(gaps) == 1


def test_the_load_of_a_worker_that_was_started_again_is_added() -> None:
    tally = Tally()
    for now, each in enumerate([load(10, 4, 1), load(20, 9, 2), load(3, 2, 1), load(5, 3, 1)]):
        tally.heard("cuda:0", each, now)
    tally.heard("cpu", load(7, None, 6), 4)
    content: Any = tally.content()
    assert content["workers"] == {
        "cuda:0": {"seconds": 25, "busy_seconds": 12, "waiting_seconds": 3, "decoders": 4},
        "cpu": {"seconds": 7, "busy_seconds": None, "waiting_seconds": 6, "decoders": 4},
    }
    last = dict(zip(content["over_time"]["columns"], content["over_time"]["samples"][-1], strict=True))
    assert (last["worker_seconds"], last["busy_seconds"], last["decoders"], last["ready"]) == (32, 12, 8, 2)


def test_the_record_of_many_sources_is_small() -> None:
    tally = Tally()
    for number in range(100_000):
        outcome = done(number, 0.1 * number) if number % 10 else failed(f"error {number}", f"{number}.mp4")
        tally.add(outcome, 0.2 * number)
    tally.count(Outcome(Source("z.mp4", "z"), "skipped"))
    content: Any = tally.content()
    assert content["sources"] == {"done": 90_000, "skipped": 1, "empty": 0, "failed": 10_000, "missing": 0}
    assert content["failures"] == [{"reason": "error #", "count": 10_000, "example": "0.mp4"}]
    assert content["features"]["arrays"]["x"]["rows"] == 180_000
    assert content["media_seconds"] == pytest.approx(0.1 * sum(number for number in range(100_000) if number % 10))
    assert len(json.dumps(content)) < 40_000
