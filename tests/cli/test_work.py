"""How much a run has left to do, estimated from simulated runs: only work counts, and lengths weigh."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from torch_zoo.utils.engines.news import Reached
from torch_zoo.utils.terminal.work import EVIDENCE_SECONDS, Work
from torch_zoo.utils.types import Source

START = 60.0  # s, until the networks are loaded
SPEED = 100.0  # s of media per s, of each decoder
DECODERS = 8


@dataclass(frozen=True)
class Moment:
    now: float
    share: float
    left: float | None


def lengths(number: int, seed: int = 0) -> list[float]:
    """From 1 s to 1 h, and as many below a minute as above."""
    draw = random.Random(seed)
    return [math.exp(draw.uniform(0, math.log(3600))) for _ in range(number)]


def simulated(
    seconds: Sequence[float], *, listed: bool = False, stated: bool = True, failing: float = 0.0
) -> Iterator[Moment]:
    """A run whose decoders take one source after the other, second by second; some can't be opened."""
    draw = random.Random(1)
    broken = [draw.random() < failing for _ in seconds]
    sources = [Source(f"{n}", f"{n}", 0.0, length if listed else None) for n, length in enumerate(seconds)]
    work, now = Work(sources), START
    work.heard("cpu", {}, now)
    waiting = iter(range(len(sources)))
    held = {number: 0.0 for _, number in zip(range(DECODERS), waiting, strict=False)}
    while held:
        now += 1.0
        for first in list(held):
            number, budget = first, SPEED
            while budget > 0:
                length = 0.0 if broken[number] else seconds[number]
                step = min(budget, length - held[number])
                held[number] += step
                budget -= step
                if held[number] < length:
                    break
                del held[number]
                work.ended(sources[number], length, now)
                following = next(waiting, None)
                if following is None:
                    break
                number = following
                held[number] = 0.0
        known = {n: seconds[n] if stated and not listed else None for n in held}
        work.heard("cpu", {f"{n}": Reached(done, known[n]) for n, done in held.items()}, now)
        yield Moment(now, work.share, work.seconds_left(now))


@pytest.mark.parametrize("options", [{}, {"failing": 0.3}], ids=["all are good", "a third fails"])
@pytest.mark.parametrize("seed", range(5))
def test_the_estimate_is_as_good_as_the_sample_that_has_been_opened(seed: int, options: dict[str, float]) -> None:
    """The minute of the start does not count. Of k files the lengths are known, so the mean of n - k others is known to
    the square root of 1 / k + 1 / (n - k), times the ratio of the standard deviation of the lengths to their mean."""
    number, ratio = 1000, math.sqrt(3600**2 / (2 * math.log(3600)) / (3600 / math.log(3600)) ** 2 - 1)
    moments = list(simulated(lengths(number, seed), **options))
    for share in (0.05, 0.1, 0.3, 0.5, 0.7):
        moment = next(each for each in moments if each.share > share)
        opened = share * number
        error = ratio * math.sqrt(1 / opened + 1 / (number - opened))
        assert moment.left == pytest.approx(moments[-1].now - moment.now, rel=3 * error)


def test_lengths_in_the_list_need_no_sample() -> None:
    moments = list(simulated(lengths(1000), listed=True))
    for each in moments:
        if 0.03 < each.share < 0.7:
            assert each.left == pytest.approx(moments[-1].now - each.now, rel=0.1)


def test_at_the_end_it_errs_by_less_than_the_longest_source_takes() -> None:
    moments = list(simulated(lengths(1000)))
    for each in moments:
        if each.share > 0.7:
            assert each.left == pytest.approx(moments[-1].now - each.now, abs=3600 / SPEED)
    assert moments[-1].left == pytest.approx(0.0, abs=1e-6)


def test_files_whose_containers_state_nothing_are_learned_from_when_they_end() -> None:
    """The short ones end first, so this takes longer."""
    moments = list(simulated(lengths(1000), stated=False))
    for each in moments:
        if 0.15 < each.share < 0.6:
            assert each.left == pytest.approx(moments[-1].now - each.now, rel=0.3)


def test_nothing_is_said_without_evidence() -> None:
    work = Work([Source(f"{number}", f"{number}") for number in range(100)])
    assert (work.share, work.seconds_left(0.0), work.rate(0.0)) == (0.0, None, 0.0)
    work.heard("cpu", {}, START)
    assert work.seconds_left(START + 100) is None
    work.heard("cpu", {"0": Reached(1.0, 10.0)}, START + 1)
    assert work.seconds_left(START + 1) is None  # a thousandth, after a second
    work.heard("cpu", {"0": Reached(EVIDENCE_SECONDS, 10.0)}, START + EVIDENCE_SECONDS)
    assert work.seconds_left(START + EVIDENCE_SECONDS) == pytest.approx(1000 - EVIDENCE_SECONDS)


def test_one_long_source_moves_within() -> None:
    """A window every 50 s: it counts down between them, and stands still when the next one is late."""
    work = Work([Source("a", "a")])
    work.heard("cpu", {"a": Reached(0.0, 200.0)}, 0.0)
    work.heard("cpu", {"a": Reached(50.0, 200.0)}, 50.0)
    assert (work.share, work.rate(50.0)) == (0.25, 1.0)
    assert [work.seconds_left(now) for now in (50.0, 60.0, 100.0, 190.0)] == [150.0, 140.0, 100.0, 100.0]
    work.ended(Source("a", "a"), 196.0, 240.0)
    assert (work.share, work.seconds_left(240.0), work.media_seconds) == (1.0, 0.0, 196.0)


def test_what_is_stored_later_is_done_once() -> None:
    sources = [Source(name, name) for name in "ab"]
    work = Work(sources)
    work.heard("cpu", {name: Reached(0.0, 10.0) for name in "ab"}, 0.0)
    for _ in range(2):  # a worker that crashes before it has stored a source computes it again
        work.computed(sources[0], 9.6, 10.0)
        assert (work.share, work.num_ended, work.media_seconds) == (0.5, 0, 9.6)
    work.ended(sources[0], 9.6, 11.0)
    assert (work.share, work.num_ended, work.media_seconds) == (0.5, 1, 9.6)


def test_what_a_crashed_worker_had_reached_is_void() -> None:
    work = Work([Source("a", "a")])
    work.heard("cpu", {"a": Reached(9.0, 10.0)}, 1.0)
    work.heard("cpu", {}, 2.0)
    assert (work.share, work.media_seconds) == (0.0, 0.0)


def test_it_learns_that_the_run_has_become_slower() -> None:
    """At the end of a long run only one source is left, at an eighth of the speed."""
    sources = [Source(f"{number}", f"{number}", 0.0, 100.0) for number in range(80)]
    work = Work([*sources, Source("last", "last", 0.0, 3600.0)])
    work.heard("cpu", {}, 0.0)
    for number, source in enumerate(sources):
        work.ended(source, 100.0, 1.0 + number)  # 100 s of media per s
    assert work.seconds_left(80.0) == pytest.approx(36.0)
    for second in range(1, 121):
        work.heard("cpu", {"last": Reached(12.5 * second)}, 80.0 + second)
    assert work.seconds_left(200.0) == pytest.approx((3600 - 1500) / 12.5, rel=0.3)
