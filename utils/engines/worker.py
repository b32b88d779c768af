"""One worker process: decode threads -> batches -> network -> sink, for the sources its parent hands it."""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NoReturn

import numpy as np

from torch_zoo.utils.engines.batching import Batch, Batcher, Job
from torch_zoo.utils.types import Extractor, Forward, MediaError, Outcome, Sink, Source, UsageError, Windows

log = logging.getLogger(__name__)

BATCHES_UNDER_WAY = 2
MOST_HELD_BYTES = 64 << 20  # of windows that wait for the network; decode threads pause beyond
STOP_SECONDS = 2.0  # for decode threads to clean up when the worker is told to stop


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """Worker to parent: send so many sources more."""

    number: int


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """Worker to parent: this worker could not be built, or can't go on."""

    reason: str
    usage: bool  # the user's options are to blame


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker is to do, and with how much of the machine."""

    extractor: Extractor
    sink: Sink
    device: str
    threads: int  # for the network, on a CPU
    decoders: int
    batch_size: int | None


def main(config: WorkerConfig, connection: Connection, token: str) -> None:
    """Entry of the process. The parent ends it with None, SIGTERM, or by closing the connection."""
    signal.signal(signal.SIGTERM, _stop)
    _Worker(config, connection, token).run()
    sys.stdout.flush()
    os._exit(0)  # all is written; torch would take half a second to put itself away


def _stop(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


class _Worker:
    def __init__(self, config: WorkerConfig, connection: Connection, token: str) -> None:
        self._config, self._token = config, token
        self._extractor, self._sink, self._device = config.extractor, config.sink, config.device
        self._connection = connection
        self._sending = threading.Lock()
        self._decoders = [threading.Thread(target=self._decode, daemon=True) for _ in range(config.decoders)]
        self._sources: queue.SimpleQueue[Source | None] = queue.SimpleQueue()
        # what the decoders find, in order: windows of a job, then its end, None or an error; None when all is done
        self._found: queue.SimpleQueue[tuple[Job, Windows | Exception | None] | None] = queue.SimpleQueue()
        self._room = threading.Condition()
        self._held_bytes = 0  # of windows in `_found`
        self._unread = 0  # sources received whose end has not been taken from `_found`
        self._stopping = threading.Event()
        self._under_way: deque[tuple[Batch, Callable[[], Mapping[str, np.ndarray]]]] = deque()

    def run(self) -> None:
        try:
            # not while sources are decoded: threads beside it slow the import of torch by more than they get done
            self._forward: Forward = self._extractor.load(self._device, self._config.threads)
            self._batcher = Batcher(
                self._config.batch_size or self._extractor.batch_size(self._device, self._config.threads)
            )
            self._sink.open(self._token)
            for thread in [*self._decoders, threading.Thread(target=self._receive, daemon=True)]:
                thread.start()
            self._send(SourceRequest(len(self._decoders) + 1))  # one in reserve
            self._compute()
        except UsageError as error:
            self._send(WorkerFailed(str(error), usage=True))
        except Exception as error:  # what the worker held is tried once more elsewhere
            log.error("the worker on %s ends", self._device, exc_info=error)
            self._send(WorkerFailed(f"{type(error).__name__}: {error}", usage=False))
        finally:
            self._stopping.set()
            for _ in self._decoders:
                self._sources.put(None)
            for thread in filter(threading.Thread.is_alive, self._decoders):
                thread.join(STOP_SECONDS / len(self._decoders))

    def _receive(self) -> None:
        """Thread: sources from the parent."""
        try:
            while (source := self._connection.recv()) is not None:
                self._count_unread(+1)
                self._sources.put(source)
            self._found.put(None)
        except (EOFError, OSError):
            os._exit(1)  # the parent is gone

    def _decode(self) -> None:
        """Thread: windows of one source after the other."""
        while (source := self._sources.get()) is not None and not self._stopping.is_set():
            self._send(SourceRequest(1))
            job = Job(source)
            try:
                for windows in self._extractor.windows(source):
                    self._hand_over(job, windows)
            except Exception as error:
                self._hand_over(job, error)
            else:
                self._hand_over(job, None)

    def _hand_over(self, job: Job, found: Windows | Exception | None) -> None:
        with self._room:
            while self._held_bytes > MOST_HELD_BYTES and not self._stopping.is_set():
                self._room.wait(timeout=0.2)
            self._held_bytes += _size(found)
        if self._stopping.is_set():
            raise SystemExit  # ends this thread; files it had open are cleared away
        self._found.put((job, found))

    def _compute(self) -> None:
        """Main thread: windows -> batches -> network -> outcomes."""
        while True:
            if self._found.empty():
                self._settle()
            if (item := self._found.get()) is None:
                return
            job, found = item
            with self._room:
                self._held_bytes -= _size(found)
                self._room.notify()
            if isinstance(found, Windows):
                for batch in self._batcher.add(job, found):
                    self._start(batch)
                continue
            self._count_unread(-1)
            job.decoded = True
            if found is not None:
                job.failed = True
                self._send(self._failure(job, found))
            elif job.finished:
                self._send(self._finish(job))

    def _settle(self) -> None:
        """While there is nothing to pack: wait for outputs, and let go of batches that nothing will fill."""
        if not self._unread:
            for batch in self._batcher.flush():
                self._start(batch)
        while self._under_way and self._found.empty():
            self._collect()

    def _start(self, batch: Batch) -> None:
        """Batches overlap: while one is computed, the next one is handed to the device."""
        while len(self._under_way) >= BATCHES_UNDER_WAY:
            self._collect()
        self._under_way.append((batch, self._forward(batch.data)))

    def _collect(self) -> None:
        batch, outputs = self._under_way.popleft()
        for job in batch.scatter(outputs()):
            if job.finished:
                self._send(self._finish(job))

    def _finish(self, job: Job) -> Outcome:
        try:
            spans = job.spans()
            printed = self._sink.write(self._extractor.features(job.source, job.arrays(), spans))
        except Exception as error:
            return self._failure(job, error)
        if not len(spans):
            return Outcome(job.source, "empty", self._extractor.empty_message, printed, 0.0, self._device)
        return Outcome(job.source, "done", "", printed, float(spans[-1, 1]) - job.source.start, self._device)

    def _failure(self, job: Job, error: Exception) -> Outcome:
        if isinstance(error, MediaError):
            return Outcome(job.source, "failed", str(error), device=self._device)
        if isinstance(error, OSError):
            reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
            return Outcome(job.source, "failed", reason, device=self._device)
        log.error("%s: unexpected", job.source.path, exc_info=error)
        return Outcome(job.source, "failed", f"{type(error).__name__}: {error}", device=self._device)

    def _count_unread(self, change: int) -> None:
        with self._room:
            self._unread += change

    def _send(self, message: SourceRequest | WorkerFailed | Outcome) -> None:
        with self._sending:
            self._connection.send(message)


def _size(found: Windows | Exception | None) -> int:
    return found.data.nbytes if isinstance(found, Windows) else 0
