"""All devices of this machine: one spawned process each, sources handed out as workers ask for them."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import socket
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from torch_zoo.utils.devices import DeviceKind, cpu_cores, devices
from torch_zoo.utils.engines import worker
from torch_zoo.utils.types import Commit, Extractor, Outcome, Sink, Source, UsageError, WorkerError, no_op

STOP_SECONDS = 5.0  # for a worker to end by itself before it is killed
IDLE_DEATHS = 3  # deaths of workers that held nothing before the run is given up


@dataclass(frozen=True, kw_only=True)
class Local:
    """Options as in configs/config.yaml."""

    device: DeviceKind = "auto"
    device_ids: list[int] | None = None
    num_decoders: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name in ("num_decoders", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name}={value}: must be 1 or more, or null for a choice by the machine")
        devices(self.device, self.device_ids)  # raises UsageError before any work

    def run(
        self, sources: Sequence[Source], extractor: Extractor, sink: Sink, commit: Commit = no_op
    ) -> Generator[Outcome, None, None]:
        """Yield one outcome a source, as they come. Raises WorkerError or UsageError if a worker can't start."""
        names = devices(self.device, self.device_ids)
        share = max(1, cpu_cores() // len(names))
        on_cpu = names[0] == "cpu"
        decoders = self.num_decoders or (max(1, share // 2) if on_cpu else min(16, share))
        configs = [
            worker.WorkerConfig(extractor, sink, name, share if on_cpu else 1, decoders, self.batch_size)
            for name in names
        ]
        pool = _Pool(configs[: len(sources)], sources, commit)
        try:
            yield from pool.outcomes()
        finally:
            pool.stop()


@dataclass(eq=False, slots=True)
class _Worker:
    """The parent's view of a worker process."""

    config: worker.WorkerConfig
    process: SpawnProcess
    connection: Connection
    token: str  # unique to the worker, for its sink
    held: dict[str, Source] = field(default_factory=dict)  # by name: handed out, no outcome yet
    wanted: int = 0  # sources it has asked for
    ready: bool = False
    suspect: bool = False  # it holds one source alone, which may have killed another worker
    last_words: str = ""  # why it is about to die

    def give(self, source: Source) -> None:
        self.held[source.name] = source
        self.wanted -= 1
        with suppress(OSError):  # it is dead, which reading from it will tell
            self.connection.send(source)


class _Pool:
    def __init__(self, configs: Sequence[worker.WorkerConfig], sources: Sequence[Source], commit: Commit) -> None:
        self._commit = commit
        self._waiting = deque(sources)
        self._suspects: deque[Source] = deque()  # held by a worker that died; tried once more, one at a time
        self._idle_deaths = 0
        self._proven: set[str] = set()  # devices on which a worker has stood
        self._workers: list[_Worker] = []
        for config in configs:
            self._start(config)

    def outcomes(self) -> Iterator[Outcome]:
        while self._waiting or self._suspects or any(each.held for each in self._workers):
            by_handle = {each.connection: each for each in self._workers}
            for handle in wait(list(by_handle)):
                each = by_handle[handle]  # type: ignore[index]
                try:
                    message = each.connection.recv()
                except (EOFError, OSError):
                    yield from self._bury(each)
                    continue
                if isinstance(message, Outcome):
                    del each.held[message.source.name]
                    each.suspect = False
                    yield message
                elif isinstance(message, worker.WorkerFailed):
                    if message.usage:
                        raise UsageError(message.reason)
                    each.last_words = message.reason
                    continue
                else:
                    each.ready = True
                    if not self._proven:
                        self._commit()
                    self._proven.add(each.config.device)
                    each.wanted += message.number
                self._hand_out(each)

    def stop(self) -> None:
        """End all workers: idle ones by word, the others by SIGTERM, and whoever takes too long by SIGKILL."""
        for each in self._workers:
            if each.held or not each.ready:
                each.process.terminate()
            else:
                with suppress(OSError):
                    each.connection.send(None)
        for each in self._workers:
            each.process.join(STOP_SECONDS)
            if each.process.is_alive():
                each.process.kill()
                each.process.join()
                self._discard(each)
            each.connection.close()

    def _start(self, config: worker.WorkerConfig) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        token = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        process = context.Process(target=worker.main, args=(config, theirs, token), daemon=True)
        with _interrupt_held(), _environment(config):
            process.start()
        theirs.close()
        self._workers.append(_Worker(config, process, ours, token))

    def _hand_out(self, each: _Worker) -> None:
        while each.wanted and not each.suspect:
            if self._suspects and not each.held:
                each.suspect = True
                each.give(self._suspects.popleft())
            elif self._waiting:
                each.give(self._waiting.popleft())
            else:
                break

    def _bury(self, dead: _Worker) -> Iterator[Outcome]:
        """Take the sources of a worker that died back, and put a fresh one in its place."""
        dead.process.join()
        self._workers.remove(dead)
        self._discard(dead)
        reason = dead.last_words or _cause_of_death(dead.process.exitcode)
        if dead.config.device not in self._proven:
            raise self._not_started(dead, reason)
        if dead.suspect:
            for source in dead.held.values():
                yield Outcome(source, "failed", f"its worker died twice: {reason}", device=dead.config.device)
        else:
            self._suspects.extend(dead.held.values())
            self._idle_deaths += not dead.held
        if self._idle_deaths >= IDLE_DEATHS:
            raise WorkerError(f"workers keep dying: {reason}")
        if self._waiting or self._suspects:
            self._start(dead.config)

    def _discard(self, dead: _Worker) -> None:
        dead.config.sink.discard(dead.token)

    def _not_started(self, each: _Worker, reason: str) -> WorkerError:
        way_out = "" if each.config.device == "cpu" else "; device=cpu works everywhere"
        return WorkerError(f"the worker on {each.config.device} could not start: {reason}{way_out}")


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        number = signal.Signals(-exit_code)
        hint = ", perhaps for want of memory" if number == signal.SIGKILL else ""
        return f"killed by {number.name}{hint}"
    return f"its process ended with exit code {exit_code}"


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """Processes started in here never see Ctrl-C: the parent ends them."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


@contextmanager
def _environment(config: worker.WorkerConfig) -> Iterator[None]:
    """What must be set before a process starts: sizes of thread pools, and an allocator that keeps what it has.

    NumPy's BLAS runs in the decode threads, so each call has one. On a CPU, glibc would give the memory of large arrays
    back after each use, and the kernel would clear the pages again: some 5 % of the network's time.
    """
    settings = {"OMP_NUM_THREADS": config.threads, "MKL_NUM_THREADS": config.threads, "OPENBLAS_NUM_THREADS": 1}
    if config.device == "cpu":
        settings |= {"MALLOC_ARENA_MAX": 1, "MALLOC_MMAP_THRESHOLD_": 1 << 30, "MALLOC_TRIM_THRESHOLD_": 1 << 30}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update({name: str(value) for name, value in settings.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
