"""The numbers of a run, from what its driver learns. It knows no clock and no file: times are given, in s."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from torch_zoo.utils.engines.news import Load
from torch_zoo.utils.runs.series import Series
from torch_zoo.utils.runs.totals import FeatureTotals, Histogram, Reasons
from torch_zoo.utils.types import Outcome, Status

STATES: tuple[Status, ...] = ("done", "skipped", "empty", "failed", "missing")
COLUMNS = (
    "seconds tried failed media_seconds worker_seconds busy_seconds waiting_seconds sources decoders ready".split()
)


@dataclass(slots=True)
class _Worker:
    """Seconds of those that ended, and the load of the one that runs."""

    load: Load
    seconds: float = 0.0
    busy: float = 0.0
    waiting: float = 0.0

    def heard(self, load: Load) -> None:
        if load.seconds < self.load.seconds:  # it was started again
            self.seconds, self.busy, self.waiting = self.total
        self.load = load

    @property
    def total(self) -> tuple[float, float, float]:
        load = self.load
        return self.seconds + load.seconds, self.busy + (load.busy or 0.0), self.waiting + load.waiting

    def content(self) -> dict[str, object]:
        seconds, busy, waiting = (round(value, 3) for value in self.total)
        return {
            "seconds": seconds,
            "busy_seconds": None if self.load.busy is None else busy,
            "waiting_seconds": waiting,
            "decoders": self.load.decoders,
        }


class Tally:
    """Counts and samples. Sources that are tried are those that were not skipped and not missing."""

    def __init__(self) -> None:
        self._counts: Counter[Status] = Counter()
        self._tried = self._failed = 0
        self._media_seconds = 0.0
        self._reasons = Reasons()
        self._durations = Histogram()
        self._features = FeatureTotals()
        self._workers: dict[str, _Worker] = {}
        self._series = Series(COLUMNS)

    def count(self, outcome: Outcome) -> None:
        self._counts[outcome.status] += 1
        if outcome.status == "failed":
            self._reasons.add(outcome)

    def add(self, outcome: Outcome, now: float) -> None:
        self.count(outcome)
        if outcome.status == "skipped":
            return
        self._tried += 1
        self._failed += outcome.status == "failed"
        self._media_seconds += outcome.media_seconds
        self._durations.add(outcome.media_seconds)
        self._features.add(outcome.source, outcome.statistics)
        if self._series.due(now):
            self.sample(now)

    def heard(self, worker: str, load: Load, now: float) -> None:
        self._workers.setdefault(worker, _Worker(load)).heard(load)
        if self._series.due(now):
            self.sample(now)

    def sample(self, now: float) -> None:
        """Take down how far the run is."""
        totals = [worker.total for worker in self._workers.values()]
        seconds, busy, waiting = map(sum, zip(*totals, strict=True)) if totals else (0.0, 0.0, 0.0)
        loads = [worker.load for worker in self._workers.values()]
        held, decoders, ready = (sum(getattr(load, name) for load in loads) for name in COLUMNS[-3:])
        counted = (self._tried, self._failed, self._media_seconds)
        self._series.add((now, *counted, seconds, busy, waiting, held, decoders, ready))

    def content(self) -> dict[str, object]:
        return {
            "sources": {state: self._counts[state] for state in STATES},
            "media_seconds": round(self._media_seconds, 3),
            "failures": self._reasons.content(),
            "workers": {name: worker.content() for name, worker in self._workers.items()},
            "over_time": self._series.content(),
            "durations": self._durations.content(),
            "features": self._features.content(),
        }
