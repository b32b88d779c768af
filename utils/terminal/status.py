"""How a run stands at one moment, and how that is written."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tqdm import tqdm


@dataclass(frozen=True, slots=True)
class Status:
    """What a bar or a line of the log shows."""

    phase: str  # what takes its time; empty once features come
    ended: int  # sources
    of: int
    failed: int
    share: float  # of the work that is done, 0 to 1
    rate: float  # s of media per s; 0 where nothing has been computed
    seconds: float  # since the start
    left: float | None  # s; None where nothing is known

    @property
    def facts(self) -> list[str]:
        """What there is to say beside the times; the first one is never missing."""
        sources = f"{self.ended}/{self.of} sources" if self.of else ""
        rate = f"{significant(self.rate)} s of media/s" if self.rate else ""
        failed = f"{self.failed} failed" if self.failed else ""
        return [fact for fact in (sources, self.phase, rate, failed) if fact]


def significant(number: float) -> str:
    """A number above 0 with three significant digits, and never fewer before the point: 0.0571, 5.71, 5710."""
    digits = max(0, 2 - math.floor(math.log10(number)))
    return f"{number:.{digits}f}"


def clock(seconds: float) -> str:
    """As 00:12 or 1:00:12."""
    return str(tqdm.format_interval(seconds))
