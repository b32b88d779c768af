"""A Ray actor: it starts a device worker and its decoders on the node it is placed on, and passes messages on.

Windows, batches and features never leave the worker. What goes through Ray are sources and outcomes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.ray_preflight import Preflight
from torch_zoo.utils.engines.worker import WorkerFailed
from torch_zoo.utils.engines.worker_options import WorkerOptions
from torch_zoo.utils.engines.worker_process import WorkerProcess
from torch_zoo.utils.types import Extractor, Sink, UsageError


@dataclass(frozen=True, slots=True)
class Placed:
    """Actor to driver, first of all: the node it is on."""

    node: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Actor to driver, last of all: its worker has ended."""

    cause: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an actor is to start."""

    options: WorkerOptions
    extractor: Extractor
    sink: Sink
    device: str
    cores: int
    token: str  # unique to the worker, for the names of what it writes
    preflight: Preflight
    folder: str  # that relative paths start from


class WorkerActor:
    """`exchange` is called again and again, `send` and `stop` meanwhile, from another thread."""

    def __init__(self, assignment: Assignment) -> None:
        import ray

        self._first: list[object] = [Placed(ray.get_runtime_context().get_node_id())]
        if problem := assignment.preflight.problem():
            self._first.append(WorkerFailed(f"node {ray.util.get_node_ip_address()} {problem}", UsageError))
        if os.path.isdir(assignment.folder):  # else all paths are absolute: it would have been a problem
            os.chdir(assignment.folder)
        self._server = DecoderServer()
        config = assignment.options.worker(assignment.extractor, assignment.sink, assignment.device, assignment.cores)
        self._process = WorkerProcess(config, self._server.connect(), assignment.token)
        self._sending = threading.Lock()

    def exchange(self, told: Sequence[object]) -> Sequence[object]:
        """Messages of the worker, as soon as there are any."""
        self.send(told)
        messages, self._first = self._first, []
        channel = self._process.channel
        while channel.poll(0.0 if messages else None):
            try:
                messages.append(channel.receive())
            except (EOFError, OSError):
                return [*messages, Ended(self._process.cause_of_end())]
        return messages

    def send(self, messages: Sequence[object]) -> None:
        with self._sending:
            for message in messages:
                self._process.send(message)

    def stop(self, idle: bool) -> None:
        """End the worker and its decoders."""
        self._process.ask_to_end(idle)
        self._process.end()
        self._server.close()
