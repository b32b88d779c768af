"""The devices of a Ray cluster: an actor per device, which runs the worker that engine=local runs as a process."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch_zoo.utils.devices import DeviceKind
from torch_zoo.utils.engines.driver import Driver
from torch_zoo.utils.engines.engine import Take, always
from torch_zoo.utils.engines.news import Devices
from torch_zoo.utils.engines.ray_actor import Assignment, Ended, Placed, WorkerActor
from torch_zoo.utils.engines.ray_cluster import (
    Share,
    ask,
    check_resources,
    connected,
    environment,
    last_line,
    nodes,
    shares,
)
from torch_zoo.utils.engines.ray_preflight import needed_by, probe
from torch_zoo.utils.engines.worker_options import WorkerOptions
from torch_zoo.utils.engines.worker_process import STOP_SECONDS
from torch_zoo.utils.types import Commit, Extractor, Outcome, Sink, Source, Tell, UsageError, no_op

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 30.0  # for the first worker, before the user is told
RETRY_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Ray(WorkerOptions):
    """Options as in configs/config.yaml and configs/engine/ray.yaml. Raises UsageError if one is out of range."""

    device: DeviceKind = "auto"
    num_workers: int | None = None
    resources: dict[str, Any] | None = None
    address: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_workers is not None and self.num_workers < 1:
            raise UsageError(f"num_workers={self.num_workers}: must be 1 or more, or null for all that fit")
        check_resources(self.resources or {})

    def run(
        self,
        sources: Sequence[Source],
        extractor: Extractor,
        sink: Sink,
        commit: Commit = no_op,
        tell: Tell = no_op,
        take: Take = always,
    ) -> Generator[Outcome, None, None]:
        """As an Engine. Raises WorkerError or UsageError if no work is possible."""
        if not sources:
            return
        with connected(self.address) as ray:
            cluster = nodes(ray)
            wanted = shares(cluster, self.device, self.num_workers, self.resources)[: len(sources)]
            share = wanted[0]
            cores = max(1, int(share.num_cpus))
            tell("", Devices([share.device.split(":")[0]] * len(wanted), cores))
            needed = needed_by(sources, extractor, sink)
            with probe(sink.destination) as probes:
                hosts = [node for node in cluster if share.fitting(node)]
                for node, problem in ask(ray, hosts, replace(needed, paths=needed.paths + probes).problem):
                    if problem:
                        raise UsageError(f"node {node.address} {problem}")

            def assignment(token: str) -> Assignment:
                return Assignment(self, extractor, sink, share.device, cores, token, needed, os.getcwd())

            actors = Actors(ray, share, assignment)
            driver = Driver(actors, [share.device] * len(wanted), commit, tell, take)
            try:
                driver.begin(sources)
                while driver.unfinished:
                    yield from actors.pass_on(driver)
            finally:
                actors.stop(driver)


@dataclass(slots=True)
class _Actor:
    """The driver's view of one."""

    handle: Any
    node: str = ""  # once it has said so
    outbox: list[object] = field(default_factory=list)


class Actors:
    """The actors, by number. At any time one call of `exchange` is in flight for each."""

    def __init__(self, ray: Any, share: Share, assignment: Callable[[str], Assignment]) -> None:
        self._ray = ray
        self._share = share
        self._assignment = assignment
        self._actors: dict[int, _Actor] = {}
        self._calls: dict[Any, int] = {}  # that are being waited for, and whose they are
        self._timeout: float | None = PATIENCE_SECONDS  # of the first wait

    def start(self, number: int) -> None:
        """Ray places it as soon as there is room."""
        token = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        create = self._ray.remote(max_restarts=0, max_task_retries=0, max_concurrency=2)(WorkerActor)
        options = {**self._share.options, "runtime_env": environment(), "scheduling_strategy": "SPREAD"}
        self._actors[number] = _Actor(create.options(**options).remote(self._assignment(token)))
        self._listen(number)

    def send(self, number: int, message: object) -> None:
        self._actors[number].outbox.append(message)

    def pass_on(self, driver: Driver) -> Iterator[Outcome]:
        """Wait for messages of an actor, or its end."""
        for actor in self._actors.values():
            if actor.outbox:  # what another one's messages led to
                actor.handle.send.remote(actor.outbox)
                actor.outbox = []
        done, _ = self._ray.wait(list(self._calls), timeout=self._timeout)
        self._timeout = None
        if not done:
            log.warning("the cluster has no room for a worker yet; each asks for %s", self._share)
        for call in done:
            number = self._calls.pop(call)
            try:
                messages = self._ray.get(call)
            except self._ray.exceptions.RayError as error:
                yield from self._failed(number, error, driver)
            else:
                yield from self._received(number, messages, driver)

    def _received(self, number: int, messages: Sequence[object] | None, driver: Driver) -> Iterator[Outcome]:
        if messages is None:  # it has stopped
            self._clear_up(number)
            yield from driver.lost(number)
            return
        for message in messages:
            if isinstance(message, Placed):
                self._actors[number].node = message.node
            elif isinstance(message, Ended):
                self._clear_up(number)
                yield from driver.crashed(number, message.cause)
                return
            else:
                yield from driver.received(number, message)
        self._listen(number)

    def _failed(self, number: int, error: Exception, driver: Driver) -> Iterator[Outcome]:
        """What a call raised says that an actor is gone, or out of reach; then messages may have been lost."""
        actor = self._actors[number]
        if isinstance(error, self._ray.exceptions.ActorUnavailableError):
            time.sleep(RETRY_SECONDS)
            self._calls[actor.handle.stop.remote(False)] = number
            return
        self._clear_up(number)
        if not isinstance(error, self._ray.exceptions.RayActorError) or error.actor_init_failed:
            yield from driver.crashed(number, last_line(error))
        elif error.preempted or self._node_is_gone(actor, error):
            yield from driver.lost(number)
        else:
            yield from driver.crashed(number, "its worker died, perhaps because memory ran out")

    def _node_is_gone(self, actor: _Actor, error: Exception) -> bool:
        if not actor.node:  # it had not said yet where it is
            return "node has died" in str(error)
        return actor.node not in {node.id for node in nodes(self._ray)}

    def stop(self, driver: Driver) -> None:
        """End all workers, each as on one machine; kill the actors that take too long."""
        calls = [each.handle.stop.remote(driver.idle(number)) for number, each in self._actors.items() if each.node]
        if calls:
            self._ray.wait(calls, num_returns=len(calls), timeout=STOP_SECONDS + RETRY_SECONDS)
        for number in list(self._actors):
            self._clear_up(number)

    def _listen(self, number: int) -> None:
        actor = self._actors[number]
        told, actor.outbox = actor.outbox, []
        self._calls[actor.handle.exchange.remote(told)] = number

    def _clear_up(self, number: int) -> None:
        self._ray.kill(self._actors.pop(number).handle)
