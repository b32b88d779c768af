"""What the messages of device workers mean, and what they are told: the part of a run that is the same for all engines.

It knows no process and no transport; an engine has both, and passes on what its workers say and how they end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from torch_zoo.utils.engines.engine import Take, always
from torch_zoo.utils.engines.news import Computed, News
from torch_zoo.utils.engines.scheduler import Action, Fail, Flush, Give, Restart, Scheduler
from torch_zoo.utils.engines.worker import Committed, Loaded, SourceRequest, Store, WorkerFailed
from torch_zoo.utils.types import Commit, Outcome, Source, Tell, UsageError, WorkerError, no_op


class Transport(Protocol):
    """An engine's workers, by number. Neither method waits, and both may be called for a worker that has ended."""

    def start(self, number: int) -> None:
        """Start this worker, for the first time or again."""

    def send(self, number: int, message: object) -> None:
        """Messages for one worker may overtake each other."""


class Driver:
    """Decides who gets which source; `devices` has the device of each worker, for messages."""

    def __init__(
        self, transport: Transport, devices: Sequence[str], commit: Commit, tell: Tell = no_op, take: Take = always
    ) -> None:
        self._transport = transport
        self._devices = devices
        self._commit = commit
        self._tell = tell
        self._take = take
        self._committed = False
        self._proven: set[str] = set()  # devices on which a worker has been ready
        self._loaded: set[int] = set()
        self._reasons: dict[int, str] = {}  # why a worker is about to end
        self._scheduler = Scheduler(blame="all")

    def begin(self, sources: Sequence[Source]) -> None:
        self._scheduler.draw_from(source for source in sources if self._take(source))
        for number in range(len(self._devices)):
            self._transport.start(number)

    @property
    def unfinished(self) -> bool:
        """Is there a source for this run without an outcome?"""
        return self._scheduler.unfinished

    def idle(self, number: int) -> bool:
        """Has this worker nothing to do, so that it ends by itself when it is told to?"""
        return number in self._loaded and not self._scheduler.leases(number)

    def received(self, number: int, message: object) -> Iterator[Outcome]:
        """Take a message of a worker. Raises UsageError if the user's options are to blame."""
        if isinstance(message, Outcome):
            yield message
            yield from self._act(self._scheduler.outcome(number, message.source))
        elif isinstance(message, SourceRequest):
            yield from self._act(self._scheduler.ready(number, message.number))
        elif isinstance(message, Loaded):
            self._loaded.add(number)
            self._proven.add(self._devices[number])
            if not self._committed:
                self._commit()
                self._committed = True
            self._transport.send(number, Committed())
        elif isinstance(message, News):
            self._tell(self._label(number), message)
            if isinstance(message, Computed):
                yield from self._act(self._scheduler.computed(number, message.source))
        elif isinstance(message, WorkerFailed):
            if message.usage:
                raise UsageError(message.reason)
            self._reasons[number] = message.reason
        else:
            raise TypeError(f"a worker sent {message!r}")

    def crashed(self, number: int, cause: str) -> Iterator[Outcome]:
        """A worker ended, which what it worked on may have caused. Raises WorkerError if there is no point in going on.

        `cause` counts unless the worker has said why it can't go on.
        """
        self._loaded.discard(number)
        device, reason = self._devices[number], self._reasons.pop(number, cause)
        if device not in self._proven:
            way_out = "" if device == "cpu" else "; device=cpu works everywhere"
            raise WorkerError(f"the worker on {device} could not start: {reason}{way_out}")
        yield from self._act(self._scheduler.death(number, reason))

    def lost(self, number: int) -> Iterator[Outcome]:
        """A worker is gone with its machine, which no source can have caused."""
        self._loaded.discard(number)
        self._reasons.pop(number, None)
        yield from self._act(self._scheduler.loss(number))

    def _label(self, number: int) -> str:
        """Of a worker: its device, with a number where several have one."""
        device = self._devices[number]
        return f"{device} #{number}" if self._devices.count(device) > 1 else device

    def _act(self, actions: Iterable[Action]) -> Iterator[Outcome]:
        for action in actions:
            if isinstance(action, Give):
                self._transport.send(action.member, action.source)
            elif isinstance(action, Flush):
                self._transport.send(action.member, Store())
            elif isinstance(action, Restart):
                self._transport.start(action.member)
            elif isinstance(action, Fail):
                yield Outcome(action.source, "failed", f"{action.reason}; tried twice")
            else:
                raise WorkerError(f"workers keep ending: {action.reason}")
