"""Times in lists: seconds, or h:mm:ss."""

from __future__ import annotations

import math
import re

from torch_zoo.utils.types import UsageError

LONGEST_SECONDS = 1e9  # of a timestamp: 32 years

_CLOCK = re.compile(r"(?:(?P<hours>\d+):(?=[0-5]?\d:))?(?P<minutes>\d+):(?P<seconds>[0-5]\d(?:\.\d*)?)", re.ASCII)


def segment(start: str, end: str, where: str) -> tuple[float, float | None]:
    """Start and end, s, of what may be empty: the start or the end of the file. Raises UsageError."""
    first = seconds(start, where) if start else 0.0
    return checked(first, seconds(end, where) if end else None, where)


def checked(start: float, end: float | None, where: str) -> tuple[float, float | None]:
    """The same times. Raises UsageError if there is no such segment."""
    if start < 0:
        raise UsageError(f"{where}: the segment starts before 0, at {start:g} s")
    if end is not None and end <= start:
        raise UsageError(f"{where}: the segment from {start:g} s to {end:g} s is empty")
    return start, end


def seconds(text: str, where: str) -> float:
    """`90.5`, `1:30.5` or `0:01:30.5` -> 90.5. Raises UsageError."""
    number = _number(text)
    if number is None or not math.isfinite(number):
        raise UsageError(f"{where}: {text!r} is not a number of seconds, nor h:mm:ss")
    if abs(number) > LONGEST_SECONDS:
        raise UsageError(f"{where}: {text} s is longer than any recording")
    return number


def _number(text: str) -> float | None:
    if clock := _CLOCK.fullmatch(text):
        return int(clock["hours"] or 0) * 3600 + int(clock["minutes"]) * 60 + float(clock["seconds"])
    try:
        return float(text)
    except ValueError:
        return None
