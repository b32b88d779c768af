"""A decoder process: the windows of one source after the other, into shared memory.

It touches media and nothing of torch or CUDA, and may crash, hang or be killed at any time: that costs the source it
works on and nothing else.
"""

from __future__ import annotations

import logging
import mmap
import os
import resource
import signal
import struct
import sys
import time
import traceback
from collections import deque
from dataclasses import dataclass, replace
from typing import NoReturn

from torch_zoo.utils import heartbeat
from torch_zoo.utils.attempts import Attempt, is_lasting
from torch_zoo.utils.engines.channel import Channel
from torch_zoo.utils.engines.slabs import SlabWriter
from torch_zoo.utils.media.opening import fetch_ahead
from torch_zoo.utils.types import Extractor, MediaError, Source

log = logging.getLogger(__name__)

TELL_SECONDS = 0.5  # from one Doing of a decoder to the next
OUT_OF_MEMORY = 73  # exit code of a decoder that exceeded its limit
COUNTER = struct.Struct("=QQ")  # is it working, and how many signs of life it has given


@dataclass(frozen=True, slots=True)
class Return:
    """Worker to decoder: this slab may be used again."""

    slab: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """Decoder to worker: all windows of the source it holds longest have been sent, or it failed."""

    error: str = ""
    trace: str = ""  # of an error that nobody expected
    attempt: str = ""  # as in Outcome


@dataclass(frozen=True, slots=True)
class Doing:
    """Decoder to worker: what takes its time."""

    what: str


@dataclass(frozen=True, slots=True)
class Duration:
    """Decoder to worker: how much media the source it holds longest has, as its container says."""

    seconds: float


class Pulse:
    """A page that a decoder and its server share: is it working, and has it made progress?"""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self._working = self._beats = 0

    def beat(self) -> None:
        self._beats += 1
        COUNTER.pack_into(self._page, 0, self._working, self._beats)

    def working(self, is_working: bool) -> None:
        self._working = int(is_working)
        self.beat()

    def read(self) -> tuple[bool, int]:
        working, beats = COUNTER.unpack_from(self._page)
        return bool(working), beats


def main(channel: Channel, extractor: Extractor, pulse: Pulse, memory: int | None) -> None:
    """Decode until the worker says None or closes its end."""
    if memory:
        limit = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
        resource.setrlimit(limit, (memory, memory))
    signal.signal(signal.SIGTERM, _stop)
    decoder = _Decoder(channel, extractor, pulse)
    heartbeat.listen(decoder)
    try:
        decoder.run()
    except (EOFError, OSError):
        return  # the worker is gone


def _stop(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)  # what was left half-written is cleared away on the way out


class _Decoder:
    def __init__(self, channel: Channel, extractor: Extractor, pulse: Pulse) -> None:
        self._channel = channel
        self._extractor = extractor
        self._pulse = pulse
        self._sources: deque[Source | None] = deque()
        self._slabs = SlabWriter(channel.send, self._wait_for_free)
        self._listed = False  # does the list of sources say how long the current one is?
        self._doing = ""  # as the worker knows it
        self._due = 0.0  # s of the monotonic clock; when it may be told again

    def run(self) -> None:
        while (source := self._next()) is not None:
            self._pulse.working(True)
            outcome = self._decode(source)
            self._pulse.working(False)
            self._channel.send(outcome)

    def beat(self, doing: str) -> None:
        """As a Listener."""
        self._pulse.beat()
        if doing and doing != self._doing and time.monotonic() >= self._due:
            self._doing, self._due = doing, time.monotonic() + TELL_SECONDS
            self._channel.send(Doing(doing))

    def announce(self, seconds: float) -> None:
        """As a Listener."""
        if not self._listed:
            self._channel.send(Duration(seconds))

    def _decode(self, source: Source) -> Decoded:
        self._listed = source.end is not None
        attempt = Attempt.of(source, self._extractor)
        try:
            for windows in self._extractor.windows(source):
                heartbeat.beat()
                self._look_ahead()
                self._slabs.write(windows)
            self._slabs.flush()
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except Exception as error:
            self._slabs.discard()
            lasting = is_lasting(error) and Attempt.of(source, self._extractor).file == attempt.file
            return replace(describe(error), attempt=attempt.digest if lasting else "")
        return Decoded()

    def _look_ahead(self) -> None:
        """Take messages that have come, so that the media of the next sources are fetched."""
        while self._channel.poll():
            if (slab := self._receive()) is not None:
                self._slabs.free(slab)

    def _next(self) -> Source | None:
        while not self._sources:
            if (slab := self._receive()) is not None:
                self._slabs.free(slab)
        self._look_ahead()
        return self._sources.popleft()

    def _wait_for_free(self) -> int:
        self._pulse.working(False)
        while (slab := self._receive()) is None:
            pass
        self._pulse.working(True)
        return slab

    def _receive(self) -> int | None:
        """Take the next message; a slab that it returns."""
        message = self._channel.receive()
        if isinstance(message, Return):
            return message.slab
        self._sources.append(message)
        if message is not None:
            fetch_ahead(message)
        return None


def describe(error: Exception) -> Decoded:
    """What a person is told of an error, and where it came from if nobody expected it."""
    if isinstance(error, MediaError):
        return Decoded(str(error))
    if isinstance(error, OSError) and error.strerror:
        return Decoded(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    return Decoded(f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))


def reported(error: Exception, place: str) -> str:
    """What a person is told of an error; one that nobody expected is logged, with the file or folder it is about."""
    failure = describe(error)
    if failure.trace:
        log.error("%s: unexpected\n%s", place, failure.trace)
    return failure.error
