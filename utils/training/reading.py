"""Network inputs of clips, read ahead: from the cache or, where it has none, from decoder processes.

Threads read. Each has a decoder process of its own once it needs one, so a file that crashes or hangs FFmpeg costs
only that file, and what decodes never waits for what trains.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import islice
from typing import TypeVar

import numpy as np

from torch_zoo.utils.engines.channel import readable
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions, Decoders
from torch_zoo.utils.engines.pipeline import Ended, Retried
from torch_zoo.utils.training.cache import Cache, key_of
from torch_zoo.utils.training.front_end import FrontEnd
from torch_zoo.utils.types import MediaError, Source

ONE_DECODER = DecoderOptions(number=1, timeout=60.0, memory=8_000_000_000)

Item, Result = TypeVar("Item"), TypeVar("Result")


class ClipReader:
    """Reads with so many threads; `close` ends them and their decoders."""

    def __init__(self, front_end: FrontEnd, cache: Cache, threads: int) -> None:
        self._front_end, self._cache, self._threads = front_end, cache, threads
        self._own = threading.local()
        self._starting = threading.Lock()
        self._ending = ExitStack()
        self._pool = ThreadPoolExecutor(threads)
        self._ending.callback(self._pool.shutdown, cancel_futures=True)
        self._server: DecoderServer | None = None

    def inputs(self, source: Source) -> np.ndarray:
        """The network's input for a clip, float16. Raises MediaError."""
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
        self._ending.close()

    def _decoded(self, source: Source) -> np.ndarray:
        if not hasattr(self._own, "decoders"):
            self._own.decoders = self._new_decoders()
        decoders: Decoders = self._own.decoders
        parts: list[np.ndarray] = []
        found = list(decoders.add(source))
        while decoders.unfinished:
            for channel in readable(decoders.channels):
                for _, event in decoders.receive(channel):
                    if isinstance(event, Ended):
                        found.append((source, event))
                    elif isinstance(event, Retried):
                        parts.clear()
                    else:
                        parts.append(event.data.astype(np.float16))
        [(_, ended)] = found
        assert isinstance(ended, Ended)
        if ended.error:
            raise MediaError(ended.error)
        return np.concatenate(parts).reshape(self._front_end.shape)

    def _new_decoders(self) -> Decoders:
        with self._starting:
            if self._server is None:
                self._server = self._ending.enter_context(closing(DecoderServer()))
            decoders = Decoders(self._server.connect(), self._front_end, ONE_DECODER)
            return self._ending.enter_context(closing(decoders))
