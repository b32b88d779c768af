"""Progress of a loop, on a terminal and elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest

from torch_zoo.utils.terminal import loops


class Clock:
    """Each item takes a while."""

    def __init__(self, seconds: float) -> None:
        self._now, self._seconds = 100.0, seconds

    def items(self, number: int) -> Iterator[int]:
        for item in range(number):
            self._now += self._seconds
            yield item

    def monotonic(self) -> float:
        return self._now


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(number: int, seconds: float, total: int | None = None, **options: object) -> list[str]:
        clock = Clock(seconds)
        monkeypatch.setattr(loops, "time", clock)
        assert list(loops.progress(clock.items(number), "reading", total, "clip", **options)) == list(range(number))
        return capsys.readouterr().err.splitlines()

    return run


def test_a_line_every_two_seconds_says_how_much_is_done_and_left(lines) -> None:
    assert lines(20, 0.5, 20) == [
        "reading: 2 of 20 clips, 00:09 left",
        "reading: 6 of 20 clips, 00:07 left",
        "reading: 10 of 20 clips, 00:05 left",
        "reading: 14 of 20 clips, 00:03 left",
        "reading: 18 of 20 clips, 00:01 left",
    ]


def test_a_short_loop_says_nothing(lines) -> None:
    assert lines(9, 0.1, 9) == []


def test_the_longer_it_takes_the_fewer_lines_there_are(lines) -> None:
    said = lines(36_000, 0.1, 36_000)
    numbers = [int(line.split()[1].replace(",", "")) for line in said]
    assert len(said) < 80
    assert all(after - before <= max(21, 0.101 * before + 2) for before, after in pairwise(numbers))


def test_a_total_may_be_unknown_and_a_note_is_asked_for_with_each_line_only(lines) -> None:
    asked = []
    said = lines(6, 1.0, note=lambda: f"loss {asked.append(1) or len(asked)}")
    assert said == [f"reading: {number} clips, loss {index}" for index, number in enumerate((1, 3, 5), 1)]


def test_nothing_is_shown_where_another_process_shows_it(lines) -> None:
    assert lines(20, 1.0, 20, shown=False) == []


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(loops, "NOTE_SECONDS", 0.0)
    items = loops.progress(range(3), "reading", 3, "clip", lambda: "loss 1.5")
    next(items)
    assert "reading:   0%" in capsys.readouterr().err
    next(items)
    next(items)
    with pytest.raises(StopIteration):
        next(items)
    assert capsys.readouterr().err.endswith("\r")  # nothing is left of it
