"""Who gets which source, and what a crash means: pure decisions, without processes, clocks or transports.

Events come in (`add`, `ready`, `computed`, `outcome`, `death`, `loss`), actions go out (`Give`, `Flush`, `Restart`,
`Fail`, `Abort`). The driver runs one over its device workers, each device worker one over its decoders.

A member that crashes takes nothing with it but time. What may have crashed it becomes a suspect and is tried once more,
alone on a member; if that crashes as well, only this source fails. What was computed but not stored yet, and all that a
lost member held, is simply given again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from torch_zoo.utils.types import Source

IDLE_DEATHS = 3  # crashes of members that were at work on no source before the run is given up


@dataclass(frozen=True, slots=True)
class Give:
    """Send this source to this member."""

    member: int
    source: Source


@dataclass(frozen=True, slots=True)
class Flush:
    """This member has computed all it holds, and gets nothing more before it has stored that."""

    member: int


@dataclass(frozen=True, slots=True)
class Restart:
    """Start this member again; its end left work."""

    member: int


@dataclass(frozen=True, slots=True)
class Fail:
    """This source crashed a member twice."""

    source: Source
    reason: str


@dataclass(frozen=True, slots=True)
class Abort:
    """Members crash whatever they do; there is no point in going on."""

    reason: str


Action = Give | Flush | Restart | Fail | Abort


@dataclass(slots=True)
class _Member:
    room: int = 0  # sources it can take
    leases: dict[str, Source] = field(default_factory=dict)  # by name, in the order they were given
    computed: dict[str, Source] = field(default_factory=dict)  # leased as well, but only their outcome is missing
    alone: bool = False  # holds a suspect and gets nothing else
    flushing: bool = False  # has been asked to store what it computed
    dead: bool = False

    @property
    def held(self) -> list[Source]:
        return [*self.computed.values(), *self.leases.values()]


class Scheduler:
    """Leases sources to members.

    `blame` says what a crash makes suspect: `first`, for members that take one source after the other, only the oldest
    lease; `all`, for members that mix their sources, every lease.
    """

    def __init__(self, blame: Literal["first", "all"]) -> None:
        self._blame = blame
        self._supply: Iterator[Source] = iter(())
        self._waiting: deque[Source] = deque()
        self._suspects: deque[Source] = deque()
        self._members: dict[int, _Member] = {}
        self._idle_deaths = 0

    @property
    def unfinished(self) -> bool:
        """Is any source waiting or leased?"""
        return bool(self._suspects or any(each.held for each in self._members.values()) or self._any_waiting())

    @property
    def waiting(self) -> int:
        """Sources that no member holds."""
        return len(self._waiting) + len(self._suspects)

    def leases(self, member: int) -> list[Source]:
        """What a member holds, oldest first."""
        return self._members[member].held if member in self._members else []

    def add(self, sources: Iterable[Source]) -> list[Action]:
        """More work. Names are unique among unfinished sources."""
        self._waiting.extend(sources)
        return list(self._assign())

    def draw_from(self, supply: Iterator[Source]) -> None:
        """More work, each source of which is taken from there when a member has room for it. Called once, at first."""
        self._supply = supply

    def ready(self, member: int, room: int = 1) -> list[Action]:
        """A member, perhaps a new or restarted one, can take `room` more sources."""
        each = self._members.setdefault(member, _Member())
        each.dead = False
        each.room += room
        return list(self._assign())

    def computed(self, member: int, source: Source) -> list[Action]:
        """A member has features of a source that are not stored yet; their outcome follows when they are."""
        each = self._members[member]
        each.computed[source.name] = each.leases.pop(source.name)
        each.alone = False
        return list(self._assign())

    def outcome(self, member: int, source: Source) -> list[Action]:
        """A member is done with a source, well or not."""
        each = self._members[member]
        if not each.computed.pop(source.name, None):
            del each.leases[source.name]
            each.alone = False
        each.flushing = each.flushing and bool(each.computed)
        return list(self._assign())

    def loss(self, member: int) -> list[Action]:
        """A member is gone, and none of its sources is to blame, e.g. with the machine it ran on."""
        each = self._members.setdefault(member, _Member())
        again = self._suspects if each.alone else self._waiting
        again.extendleft(reversed(each.held))
        self._members[member] = _Member(dead=True)
        return list(self._assign())

    def death(self, member: int, reason: str) -> list[Action]:
        """A member crashed, hung and was killed, or exceeded a limit."""
        each = self._members.setdefault(member, _Member())
        held = list(each.leases.values())
        failed: list[Action] = []
        if each.alone:
            failed = [Fail(source, reason) for source in held]
        elif self._blame == "all":
            self._suspects.extend(held)
        else:
            self._suspects.extend(held[:1])
            self._waiting.extendleft(reversed(held[1:]))
        self._waiting.extendleft(reversed(each.computed.values()))
        self._members[member] = _Member(dead=True)
        if not held:
            self._idle_deaths += 1
            if self._idle_deaths >= IDLE_DEATHS:
                return [Abort(reason)]
        return [*failed, *self._assign()]

    def _assign(self) -> Iterator[Action]:
        while given := self._give():
            yield given
        for member, each in self._members.items():
            if each.computed and not each.leases and not each.flushing:
                each.flushing = True
                yield Flush(member)
        for member, each in self._members.items():
            if each.dead and (self._suspects or self._any_waiting()):
                each.dead = False
                yield Restart(member)

    def _any_waiting(self) -> bool:
        if not self._waiting:
            self._waiting.extend(islice(self._supply, 1))
        return bool(self._waiting)

    def _give(self) -> Give | None:
        """Lease a source to the member with room that has the fewest; a suspect only to one that has nothing."""
        free = [(len(each.leases), member) for member, each in self._members.items() if each.room and not each.alone]
        idle = [entry for entry in free if not self._members[entry[1]].held] if self._suspects else []
        if idle:
            source = self._suspects.popleft()
        elif free and self._any_waiting():
            source = self._waiting.popleft()
        else:
            return None
        _, member = min(idle or free)
        each = self._members[member]
        each.alone = bool(idle)
        each.room -= 1
        each.leases[source.name] = source
        return Give(member, source)
