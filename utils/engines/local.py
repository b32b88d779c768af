"""All devices of this machine: one worker process each, and one server that forks their decoders."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from torch_zoo.utils.devices import DeviceKind, cpu_cores, devices
from torch_zoo.utils.engines.channel import readable
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.driver import Driver
from torch_zoo.utils.engines.engine import Take, always
from torch_zoo.utils.engines.news import Devices
from torch_zoo.utils.engines.worker import WorkerConfig
from torch_zoo.utils.engines.worker_options import WorkerOptions
from torch_zoo.utils.engines.worker_process import WorkerProcess, interrupt_blocked
from torch_zoo.utils.types import Commit, Extractor, Outcome, Sink, Source, Tell, no_op


@dataclass(frozen=True, kw_only=True)
class Local(WorkerOptions):
    """Options as in configs/config.yaml. Raises UsageError if one is out of range."""

    device: DeviceKind = "auto"
    device_ids: list[int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        devices(self.device, self.device_ids)  # raises UsageError before any work

    def run(
        self,
        sources: Sequence[Source],
        extractor: Extractor,
        sink: Sink,
        commit: Commit = no_op,
        tell: Tell = no_op,
        take: Take = always,
    ) -> Generator[Outcome, None, None]:
        """As an Engine. Raises WorkerError or UsageError if a worker can't start."""
        names = devices(self.device, self.device_ids)[: len(sources)]
        if not names:
            return
        share = max(1, cpu_cores() // len(names))
        tell("", Devices(names, share))
        workers = _Workers([self.worker(extractor, sink, name, share) for name in names])
        driver = Driver(workers, names, commit, tell, take)
        try:
            driver.begin(sources)
            while driver.unfinished:
                yield from workers.pass_on(driver)
        finally:
            workers.stop(driver)


class _Workers:
    """The worker processes, by number."""

    def __init__(self, configs: Sequence[WorkerConfig]) -> None:
        self._configs = configs
        self._workers: dict[int, WorkerProcess] = {}
        self._server: DecoderServer | None = None

    def start(self, number: int) -> None:
        if self._server is None or not self._server.alive:
            with interrupt_blocked():
                self._server = DecoderServer()
        token = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"  # unique over all hosts, for file names
        self._workers[number] = WorkerProcess(self._configs[number], self._server.connect(), token)

    def send(self, number: int, message: object) -> None:
        self._workers[number].send(message)

    def pass_on(self, driver: Driver) -> Iterator[Outcome]:
        """Wait for messages of workers, or their ends."""
        numbers = {each.channel: number for number, each in self._workers.items()}
        for channel in readable(list(numbers)):
            number = numbers[channel]
            try:
                message = channel.receive()
            except (EOFError, OSError):
                dead = self._workers.pop(number)
                cause = dead.cause_of_end()
                dead.end()
                yield from driver.crashed(number, cause)
            else:
                yield from driver.received(number, message)

    def stop(self, driver: Driver) -> None:
        """End all workers: idle ones by a message, the others by SIGTERM, and whoever takes too long by SIGKILL."""
        for number, each in self._workers.items():
            each.ask_to_end(driver.idle(number))
        for each in self._workers.values():
            each.end()
        if self._server:
            self._server.close()
