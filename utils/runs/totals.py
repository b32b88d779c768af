"""What a run adds up over its sources, in memory that does not grow with them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch_zoo.utils import naming
from torch_zoo.utils.types import Outcome, Source

MOST_REASONS = 100
MOST_SUSPECTS = 20
OTHERS = "other reasons"
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
STEPS = 8  # bins of a histogram per factor of 2


class Histogram:
    """Counts of values above 0, in bins whose edges are powers of 2 ** (1 / STEPS)."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, value: float) -> None:
        if value > 0:
            self._counts[math.floor(math.log2(value) * STEPS)] += 1

    def content(self) -> list[tuple[float, float, int]]:
        """Both edges of each bin that has any, and how many."""
        return [
            (round(2 ** (bin / STEPS), 6), round(2 ** ((bin + 1) / STEPS), 6), count)
            for bin, count in sorted(self._counts.items())
        ]


@dataclass(slots=True)
class _Reason:
    message: str  # of all, as long as it is the same
    example: str
    count: int = 0


class Reasons:
    """Why sources failed. Messages that differ only in numbers are one reason, with `#` for each number."""

    def __init__(self) -> None:
        self._reasons: dict[str, _Reason] = {}

    def add(self, outcome: Outcome) -> None:
        message = outcome.message.replace(outcome.source.path, "\N{HORIZONTAL ELLIPSIS}")
        pattern = NUMBER.sub("#", message)
        if pattern not in self._reasons and len(self._reasons) >= MOST_REASONS:
            message = pattern = OTHERS
        reason = self._reasons.setdefault(pattern, _Reason(message, naming.label(outcome.source)))
        reason.count += 1
        if reason.message != message:
            reason.message = pattern

    def content(self) -> list[dict[str, object]]:
        """The most frequent first."""
        ranked = sorted(self._reasons.values(), key=lambda each: -each.count)
        return [{"reason": each.message, "count": each.count, "example": each.example} for each in ranked]


@dataclass(slots=True)
class _Array:
    sources: int = 0
    rows: int = 0
    values: int = 0
    zeros: int = 0
    sum: float = 0.0
    squares: float = 0.0
    norms: Histogram = field(default_factory=Histogram)  # of the mean norm of each source

    def content(self) -> dict[str, object]:
        mean = self.sum / self.values if self.values else 0.0
        variance = self.squares / self.values - mean**2 if self.values else 0.0
        return {
            "sources": self.sources,
            "rows": self.rows,
            "mean": mean,
            "std": math.sqrt(max(0.0, variance)),
            "zeros": self.zeros / self.values if self.values else 0.0,
            "norms": self.norms.content(),
        }


class FeatureTotals:
    """Statistics of the features, by array, and the sources whose features look wrong."""

    def __init__(self) -> None:
        self._arrays: dict[str, _Array] = {}
        self._suspects: list[dict[str, str]] = []
        self._suspicious = 0

    def add(self, source: Source, statistics: Mapping[str, Mapping[str, float]]) -> None:
        for name, each in statistics.items():
            array = self._arrays.setdefault(name, _Array())
            if wrong := _what_is_wrong(each):
                self._suspicious += 1
                if len(self._suspects) < MOST_SUSPECTS:
                    self._suspects.append({"source": naming.label(source), "array": name, "what": wrong})
            if not math.isfinite(each["squares"]):
                continue
            array.sources += 1
            array.rows += int(each["rows"])
            array.values += int(each["values"])
            array.zeros += int(each["zeros"])
            array.sum += each["sum"]
            array.squares += each["squares"]
            array.norms.add(each["norm"])

    def content(self) -> dict[str, object]:
        arrays = {name: array.content() for name, array in self._arrays.items()}
        return {"arrays": arrays, "suspicious": self._suspicious, "suspects": self._suspects}


def _what_is_wrong(statistics: Mapping[str, float]) -> str:
    if not math.isfinite(statistics["squares"]):
        return "NaN or infinite"
    if statistics["zeros"] == statistics["values"]:
        return "all zeros"
    return "the same in all rows" if statistics["constant"] else ""
