"""Network inputs of clips, read ahead: from the cache or, where it has none, from decoder processes.

Threads read. Each has a decoder process of its own once it needs one, so a file that crashes or hangs FFmpeg costs
only that file, and what decodes never waits for what trains.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np

from torch_zoo.utils.engines.channel import readable
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions, Decoders
from torch_zoo.utils.engines.pipeline import Ended, Event, Retried
from torch_zoo.utils.training.cache import Cache, key_of
from torch_zoo.utils.types import Extractor, MediaError, Source, Windows

ONE_DECODER = DecoderOptions(number=1, timeout=60.0, memory=8_000_000_000)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """How a clip becomes a network's input: its first windows, repeated if it has fewer."""

    extractor: Extractor  # makes the windows
    shape: tuple[int, ...]  # of the input, which is that of the windows or of one of them
    seconds: float  # of a clip that are decoded
    settings: Mapping[str, object]  # on which the values depend

    @property
    def array_bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(np.float16).itemsize


class ClipReader:
    """Reads with `threads` threads; `close` ends them and their decoders."""

    def __init__(self, front_end: FrontEnd, cache: Cache, threads: int) -> None:
        self._front_end, self._cache, self.threads = front_end, cache, threads
        self._own = threading.local()
        self._starting = threading.Lock()
        self._ending = ExitStack()
        self._pool = ThreadPoolExecutor(threads, "reader")
        self._server: DecoderServer | None = None

    def inputs(self, source: Source) -> np.ndarray:
        """The network's input for a clip, float16, cached or not. Raises MediaError."""
        try:
            key = key_of(source, self._front_end.settings)
        except OSError as error:
            raise MediaError(error.strerror or str(error)) from error
        array = self._cache.load(key)
        if array is None:
            array = self._decoded(source)
            self._cache.store(key, array)
        return array

    def map(self, read: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
        """The results for all items, in order; at most `ahead` of them wait to be taken."""
        items, waiting = iter(items), deque[Future[Result]]()
        while True:
            waiting.extend(self._pool.submit(read, item) for item in islice(items, ahead - len(waiting)))
            if not waiting:
                return
            yield waiting.popleft().result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._ending.close()

    def _decoded(self, source: Source) -> np.ndarray:
        if not hasattr(self._own, "decoders"):
            self._own.decoders = self._new_decoders()
        end = source.start + self._front_end.seconds
        source = replace(source, end=end if source.end is None else min(end, source.end))
        parts: list[np.ndarray] = []
        error = ""
        for event in _events(self._own.decoders, source):
            if isinstance(event, Windows):
                parts.append(event.data.astype(np.float16))
            elif isinstance(event, Retried):
                parts.clear()
            elif isinstance(event, Ended):
                error = event.error  # to be raised once the decoders know that the source is done
        if error or not parts:
            raise MediaError(error or self._front_end.extractor.empty_message)
        return np.resize(np.concatenate(parts), self._front_end.shape)

    def _new_decoders(self) -> Decoders:
        with self._starting:
            if self._server is None:
                self._server = self._ending.enter_context(closing(DecoderServer()))
            decoders = Decoders(self._server.connect(), self._front_end.extractor, ONE_DECODER)
            return self._ending.enter_context(closing(decoders))


def _events(decoders: Decoders, source: Source) -> Iterator[Event]:
    """All there is to know of one source, to its end; windows are valid until the next event."""
    yield from (event for _, event in decoders.add(source))
    while decoders.unfinished:
        for channel in readable(decoders.channels):
            yield from (event for _, event in decoders.receive(channel))
