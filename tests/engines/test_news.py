"""What workers tell of themselves beside outcomes: how busy they are, and what they log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from actors import Doubler, Tell

from torch_zoo.utils import heartbeat
from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.engines.driver import Driver
from torch_zoo.utils.engines.local import Local
from torch_zoo.utils.engines.news import (
    LOAD_SECONDS,
    POSITION_SECONDS,
    Devices,
    Load,
    Loading,
    LogLine,
    Meter,
    Position,
)
from torch_zoo.utils.types import Outcome, Source, Stage, Windows, no_op

BATCH_SECONDS = 0.1  # that Slow computes for each batch of four windows


@dataclass(frozen=True, kw_only=True)
class Slow(Doubler):
    """Its device takes its time, and says so."""

    def load(self, device: str, threads: int) -> list[Stage]:
        [stage] = super().load(device, threads)
        spent: list[float] = []

        def forward(batch: np.ndarray) -> Callable[[], Mapping[str, np.ndarray]]:
            time.sleep(BATCH_SECONDS)
            spent.append(BATCH_SECONDS)
            return stage.forward(batch)

        return [Stage(forward, stage.batch_size, busy_seconds=lambda: sum(spent))]


def run(paths: list[str], extractor: Doubler) -> tuple[list[Outcome], list[tuple[str, object]]]:
    sources = [Source(path, path.replace(" ", "_")) for path in paths]
    news: list[tuple[str, object]] = []
    engine = Local(device="cpu", num_decoders=1)
    outcomes = list(engine.run(sources, extractor, Tell(), no_op, lambda *what: news.append(what)))
    return outcomes, news


def test_a_worker_tells_its_load_and_what_it_logs(tmp_path: Path) -> None:
    paths = [f"good {number}" for number in range(8)]
    outcomes, news = run([*paths, "decode x"], Slow(markers=str(tmp_path)))
    assert news[0] == ("", Devices(["cpu"], cpu_cores()))
    assert {worker for worker, _ in news[1:]} == {"cpu"}
    loads = [each for _, each in news if isinstance(each, Load)]
    assert loads[0].busy == 0
    busy = loads[-1].busy or 0.0
    batches = round(busy / BATCH_SECONDS)
    assert 6 <= batches <= 24  # of 24 windows, up to four each: a slow decoder leaves some incomplete
    assert busy == pytest.approx(batches * BATCH_SECONDS)
    assert loads[-1].seconds >= busy
    assert loads[-1].decoders == 1
    assert all(0 <= load.waiting <= load.seconds and load.ready <= 1 for load in loads)
    [line] = [each.text for _, each in news if isinstance(each, LogLine)]
    assert line.startswith("decode x: unexpected\n")
    assert "ZeroDivisionError: a decoder's mistake" in line
    assert len(outcomes) == 9


def test_an_extractor_that_measures_nothing_is_not_taken_for_idle(tmp_path: Path) -> None:
    _, news = run(["good 0"], Doubler(markers=str(tmp_path)))
    assert {each.busy for _, each in news if isinstance(each, Load)} == {None}


@dataclass(frozen=True, kw_only=True)
class Long(Slow):
    """A minute of windows per source, which decoders announce."""

    def windows(self, source: Source) -> Iterator[Windows]:
        heartbeat.announce(64.0)
        heartbeat.beat("unpacking")
        for second in range(int(source.start), 60):
            yield Windows(np.full((1, 2), 1.0, np.float32), np.array([[second, second + 1.0]]))


def test_a_worker_tells_what_it_does_and_how_far_it_is_in_its_sources(tmp_path: Path) -> None:
    segment = Source("segment", "segment", 20.0, 60.0)
    news: list[tuple[str, object]] = []
    engine = Local(device="cpu", num_decoders=1)
    began = time.monotonic()
    outcomes = list(
        engine.run(
            [Source("x", "x"), segment], Long(markers=str(tmp_path)), Tell(), no_op, lambda *what: news.append(what)
        )
    )
    seconds = time.monotonic() - began
    assert {outcome.status for outcome in outcomes} == {"done"}
    told = [each for _, each in news if isinstance(each, Loading | Position)]
    assert told[0] == Loading("Long")
    positions = [each for each in told if isinstance(each, Position)]
    assert len(positions) == len(told) - 1 <= 2 + seconds / POSITION_SECONDS
    assert {each.doing for each in positions} <= {"decoding", "unpacking", "computing"}
    whole, part = ([each.sources[name] for each in positions if name in each.sources] for name in ("x", "segment"))
    assert {each.duration for each in whole} == {64.0}
    assert {each.duration for each in part} <= {None}  # its length is in the list
    for reached, most in ((whole, 60.0), (part, 40.0)):
        assert all(0.0 <= before.seconds <= after.seconds <= most for before, after in pairwise(reached))
    assert len({each.seconds for each in whole}) > 1


def test_outcomes_come_with_the_statistics_of_their_features(tmp_path: Path) -> None:
    [outcome], _ = run(["good 0"], Doubler(markers=str(tmp_path)))
    fill = 2 * float(sum(b"good_0"))  # 3 rows of 2 values
    found = outcome.statistics["doubled"]
    assert (found["rows"], found["values"], found["sum"], found["constant"]) == (3, 6, 6 * fill, 1)
    assert found["norm"] == pytest.approx(fill * 2**0.5, rel=1e-12)


def test_workers_of_one_device_are_told_apart() -> None:
    for devices, labels in {("cuda:0", "cuda:1"): ["cuda:0", "cuda:1"], ("cpu", "cpu"): ["cpu #0", "cpu #1"]}.items():
        told: list[str] = []
        driver = Driver(_Nowhere(), devices, no_op, lambda worker, _, told=told: told.append(worker))  # type: ignore[misc]
        for number in range(2):
            assert list(driver.received(number, LogLine("x"))) == []
        assert told == labels


class _Nowhere:
    def start(self, number: int) -> None:
        raise AssertionError("nothing was begun")

    def send(self, number: int, message: object) -> None:
        raise AssertionError("there is nobody")


def test_loads_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter, told = Meter([]), []
    for _ in range(80):
        if meter.due:
            told.append(meter.load(0, 1, 0))
        meter.waited(0.0625)
        now[0] += 0.125
    assert [load.seconds for load in told] == [0, LOAD_SECONDS, 2 * LOAD_SECONDS, 3 * LOAD_SECONDS, 4 * LOAD_SECONDS]
    assert all(load.waiting == load.seconds / 2 for load in told)
