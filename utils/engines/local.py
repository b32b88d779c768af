"""All devices of this machine: one spawned worker process each, and one server that forks their decoders."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import socket
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from typing import Any

from torch_zoo.utils.devices import DeviceKind, cpu_cores, devices
from torch_zoo.utils.engines import worker
from torch_zoo.utils.engines.channel import Channel, readable
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions
from torch_zoo.utils.engines.outbox import Computed
from torch_zoo.utils.engines.scheduler import Action, Fail, Flush, Give, Restart, Scheduler
from torch_zoo.utils.processes import KEEP_MEMORY, cause_of_exit
from torch_zoo.utils.types import Commit, Extractor, Outcome, Sink, Source, UsageError, WorkerError, no_op

STOP_SECONDS = 5.0  # for a worker to end by itself before it is killed
MOST_DECODERS = 32  # per worker, where num_decoders is null
LEAST_MEMORY = 256_000_000  # bytes that a decoder needs to run at all


@dataclass(frozen=True, kw_only=True)
class Local:
    """Options as in configs/config.yaml. Raises UsageError if one is out of range."""

    device: DeviceKind = "auto"
    device_ids: list[int] | None = None
    num_decoders: int | None = None
    batch_size: int | None = None
    timeout: float = 60.0
    decoder_memory: int | None = 8_000_000_000

    def __post_init__(self) -> None:
        for name in ("num_decoders", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name}={value}: must be 1 or more, or null to choose it for this machine")
        if not 0 <= self.timeout < float("inf"):
            raise UsageError(f"timeout={self.timeout:g}: must be 0 (never) or more seconds")
        if self.decoder_memory is not None and self.decoder_memory < LEAST_MEMORY:
            raise UsageError(f"decoder_memory={self.decoder_memory}: must be {LEAST_MEMORY} bytes or more, or null")
        devices(self.device, self.device_ids)  # raises UsageError before any work

    def run(
        self, sources: Sequence[Source], extractor: Extractor, sink: Sink, commit: Commit = no_op
    ) -> Generator[Outcome, None, None]:
        """Yield one outcome per source, as they come. Raises WorkerError or UsageError if a worker can't start."""
        names = devices(self.device, self.device_ids)[: len(sources)]
        if not names:
            return
        on_cpu = names[0] == "cpu"
        share = max(1, cpu_cores() // len(names))
        number = self.num_decoders or (max(1, share // 2) if on_cpu else min(MOST_DECODERS, share))
        decoders = DecoderOptions(number, self.timeout, self.decoder_memory)
        threads = share if on_cpu else 1
        configs = [
            worker.WorkerConfig(extractor, sink, name, threads, decoders, self.batch_size, os.getpid())
            for name in names
        ]
        pool = _Workers(configs, commit)
        try:
            yield from pool.run(sources)
        finally:
            pool.stop()


@dataclass(eq=False, slots=True)
class _Worker:
    """The driver's view of a worker process."""

    config: worker.WorkerConfig
    process: SpawnProcess
    channel: Channel
    token: str  # unique to it over all hosts, for the names of what it writes
    loaded: bool = False
    reason: str = ""  # why it is about to end

    def send(self, message: object) -> None:
        with suppress(OSError):  # it has ended, which reading from it will tell
            self.channel.send(message)


class _Workers:
    def __init__(self, configs: Sequence[worker.WorkerConfig], commit: Commit) -> None:
        self._configs = configs
        self._commit = commit
        self._committed = False
        self._proven: set[str] = set()  # devices on which a worker has been ready
        self._scheduler = Scheduler(blame="all")
        self._workers: dict[int, _Worker] = {}
        self._server: DecoderServer | None = None

    def run(self, sources: Sequence[Source]) -> Iterator[Outcome]:
        self._scheduler.add(sources)
        for number in range(len(self._configs)):
            self._start(number)
        while self._scheduler.unfinished:
            numbers = {each.channel: number for number, each in self._workers.items()}
            for channel in readable(list(numbers)):
                number = numbers[channel]
                try:
                    message = self._workers[number].channel.receive()
                except (EOFError, OSError):
                    yield from self._died(number)
                else:
                    yield from self._received(number, message)

    def stop(self) -> None:
        """End all workers: idle ones by word, the others by SIGTERM, and whoever takes too long by SIGKILL."""
        for number, each in self._workers.items():
            if self._scheduler.leases(number) or not each.loaded:
                each.process.terminate()
            else:
                each.send(None)
        for each in self._workers.values():
            each.process.join(STOP_SECONDS)
            if each.process.is_alive():
                each.process.kill()
                each.process.join()
            self._clear_up(each)
        if self._server:
            self._server.close()

    def _received(self, number: int, message: Any) -> Iterator[Outcome]:
        each = self._workers[number]
        if isinstance(message, Outcome):
            yield message
            yield from self._act(self._scheduler.outcome(number, message.source))
        elif isinstance(message, Computed):
            yield from self._act(self._scheduler.computed(number, message.source))
        elif isinstance(message, worker.SourceRequest):
            yield from self._act(self._scheduler.ready(number, message.number))
        elif isinstance(message, worker.Loaded):
            each.loaded = True
            self._proven.add(each.config.device)
            if not self._committed:
                self._commit()
                self._committed = True
            each.send(worker.Committed())
        else:
            if message.usage:
                raise UsageError(message.reason)
            each.reason = message.reason

    def _died(self, number: int) -> Iterator[Outcome]:
        dead = self._workers.pop(number)
        dead.process.join()
        self._clear_up(dead)
        device = dead.config.device
        reason = dead.reason or f"its worker {cause_of_exit(dead.process.exitcode)}"
        if device not in self._proven:
            way_out = "" if device == "cpu" else "; device=cpu works everywhere"
            raise WorkerError(f"the worker on {device} could not start: {reason}{way_out}")
        yield from self._act(self._scheduler.death(number, reason))

    def _act(self, actions: Iterable[Action]) -> Iterator[Outcome]:
        for action in actions:
            if isinstance(action, Give):
                self._workers[action.member].send(action.source)
            elif isinstance(action, Flush):
                self._workers[action.member].send(worker.Store())
            elif isinstance(action, Restart):
                self._start(action.member)
            elif isinstance(action, Fail):
                yield Outcome(action.source, "failed", f"{action.reason}; tried twice")
            else:
                raise WorkerError(f"workers keep ending: {action.reason}")

    def _start(self, number: int) -> None:
        if self._server is None or not self._server.alive:
            with _interrupt_blocked():
                self._server = DecoderServer()
        config = self._configs[number]
        ours, theirs = Channel.pair()
        server = self._server.connect()
        context = multiprocessing.get_context("spawn")
        token = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        process = context.Process(target=worker.main, args=(config, theirs, server, token), daemon=True)
        with _interrupt_blocked(), _environment(config):
            process.start()
        theirs.close()
        server.close()
        self._workers[number] = _Worker(config, process, ours, token)

    def _clear_up(self, ended: _Worker) -> None:
        ended.channel.close()
        ended.config.sink.discard(ended.token)


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Processes started in here never see Ctrl-C: the driver ends them."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


@contextmanager
def _environment(config: worker.WorkerConfig) -> Iterator[None]:
    """What must be set before a worker starts: sizes of thread pools and, on a CPU, an allocator that keeps memory."""
    settings = {"OMP_NUM_THREADS": f"{config.threads}", "MKL_NUM_THREADS": f"{config.threads}"}
    if config.device == "cpu":
        settings |= KEEP_MEMORY
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
