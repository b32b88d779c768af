"""What processes that share a folder do, each as a run of its own; some are on machines of their own, without locks."""

from __future__ import annotations

import errno
import fcntl
import random
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

from torch_zoo.utils.sinks import member as members
from torch_zoo.utils.sinks.claims import Claims
from torch_zoo.utils.sinks.member import Member
from torch_zoo.utils.types import Outcome, Source

SPAWN = get_context("spawn")
NAMES = [f"clip {number}" for number in range(200)]
TURNS = 40
BEAT_SECONDS = 0.2  # so that a busy machine is not taken for a dead one


def go_elsewhere(machine: str) -> None:
    """From now on this process is on another machine, and the file system of the folder has no locks."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    fcntl.flock = refuse  # type: ignore[assignment]
    members.place = lambda _: machine  # type: ignore[assignment]
    members.BEAT_SECONDS = BEAT_SECONDS  # type: ignore[misc]


def source(name: str) -> Source:
    return Source(f"{name}.wav", name)


def started(
    action: Callable[..., None], folder: Path, machine: str, *more: Any
) -> tuple[BaseProcess, SimpleQueue[Any]]:
    """A process that joins the runs of a folder and acts; what it has to say comes through a queue."""
    queue = SPAWN.SimpleQueue()
    process = SPAWN.Process(target=_act, args=(action, folder, machine, queue, *more), daemon=True)
    process.start()
    return process, queue


def _act(action: Callable[..., None], folder: Path, machine: str, queue: SimpleQueue[Any], *more: Any) -> None:
    if machine:
        go_elsewhere(machine)
    run = Member(folder)
    run.join()
    action(run, queue, *more)


def take_all(run: Member, queue: SimpleQueue[Any], seed: int) -> None:
    """Claim what can be claimed, in an order of its own; leave when told to."""
    claims = Claims(run)
    names = random.Random(seed).sample(NAMES, len(NAMES))
    queue.put([name for name in names if claims.take(source(name))])
    time.sleep(1000)


def count_up(run: Member, queue: SimpleQueue[Any], counter: Path) -> None:
    """Add to a number in a file, which loses an addition where two do so at once."""
    for _ in range(TURNS):
        with run.lock():
            number = int(counter.read_text())
            time.sleep(0.0005)
            counter.write_text(str(number + 1))
    run.leave()


def hold(run: Member, queue: SimpleQueue[Any]) -> None:
    """Hold the lock and two claims, one of them settled, until killed."""
    claims = Claims(run)
    claims.take(source("open"))
    claims.take(source("settled"))
    claims.settle(Outcome(source("settled"), "failed", "no sound\nat all", attempt="7f"))
    with run.lock():
        queue.put(run.id)
        time.sleep(1000)


def inherit(run: Member, queue: SimpleQueue[Any]) -> None:
    """Wait for the lock, then say which claims could be had."""
    claims = Claims(run)
    with run.lock():
        pass
    queue.put([name for name in ("open", "settled") if claims.take(source(name))])
    time.sleep(1000)
