"""What an engine tells of itself, and a device worker of its work, beside the outcomes of sources."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from torch_zoo.utils.types import Source, Stage

LOAD_SECONDS = 2.0  # from one Load of a worker to the next
POSITION_SECONDS = 1.0  # from one Position of a worker to the next


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a worker is. All seconds count from when its networks were ready."""

    seconds: float
    busy: float | None  # of these, its device computed; None where the extractor does not measure it
    waiting: float  # of these, the worker waited for windows
    sources: int  # that have been sent to its decoders and not ended
    decoders: int
    ready: int  # decoders with windows that wait to be taken


@dataclass(frozen=True, slots=True)
class LogLine:
    """What the worker logged."""

    text: str


@dataclass(frozen=True, slots=True)
class Devices:
    """Told by an engine: the device of each worker, and how many cores a worker has."""

    names: Sequence[str]
    cores: int


@dataclass(frozen=True, slots=True)
class Loading:
    """The worker loads these networks."""

    what: str


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a source is. Both are lengths of media in s, from the start of the source."""

    seconds: float = 0.0  # the windows that the first network has computed
    duration: float | None = None  # what the container states; None where that is unknown, or the list has an end


@dataclass(frozen=True, slots=True)
class Position:
    """How far a worker is, whose networks are loaded."""

    doing: str  # what takes its time
    sources: Mapping[str, Reached]  # those in progress, by name


@dataclass(frozen=True, slots=True)
class Computed:
    """The features of this source are there, and its outcome follows when they are stored."""

    source: Source
    media_seconds: float  # covered by its windows


News = Load | LogLine | Loading | Position | Computed


class Meter:
    """Measures the load of a worker."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._clocks = [stage.busy_seconds for stage in stages if stage.busy_seconds]
        self._began = time.monotonic()
        self._due = self._began
        self._waiting = 0.0

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._due

    def waited(self, seconds: float) -> None:
        self._waiting += seconds

    def load(self, sources: int, decoders: int, ready: int) -> Load:
        now = time.monotonic()
        self._due = now + LOAD_SECONDS
        busy = sum(clock() for clock in self._clocks) if self._clocks else None
        return Load(now - self._began, busy, self._waiting, sources, decoders, ready)


class Forward(logging.Handler):
    """Passes on what is logged as text. Whoever takes it has to be safe for threads."""

    def __init__(self, take: Callable[[str], None]) -> None:
        super().__init__()
        self._take = take

    def createLock(self) -> None:  # noqa: N802 - of logging
        """None, since `take` may wait for a thread that logs."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # the other end is gone, which the next message will tell
            self._take(self.format(record))
