"""Numbers over time, of which a bounded number of samples is kept."""

from __future__ import annotations

from collections.abc import Sequence

MOST_SAMPLES = 240
FIRST_SECONDS = 1.0  # between two samples at first


class Series:
    """Samples at even distances. When there are too many, every second one goes, and they are taken half as often.

    The first column is the time in s. Columns that count up stay exact, whatever was left out between.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._samples: list[Sequence[float]] = []
        self._seconds = FIRST_SECONDS

    def due(self, now: float) -> bool:
        return not self._samples or now - self._samples[-1][0] >= self._seconds

    def add(self, sample: Sequence[float]) -> None:
        if len(self._samples) >= MOST_SAMPLES:
            del self._samples[1::2]
            self._seconds *= 2
        self._samples.append([round(value, 3) for value in sample])

    def content(self) -> dict[str, object]:
        return {"columns": [*self._columns], "samples": [*self._samples]}
