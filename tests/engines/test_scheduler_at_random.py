"""Members of all kinds, whatever befalls them in whatever order: every source ends once."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.utils.engines.scheduler import Action, Fail, Flush, Give, Restart, Scheduler
from torch_zoo.utils.types import Source


class World:
    """Members that follow the scheduler's actions; `killers` crash whoever works on them."""

    def __init__(self, scheduler: Scheduler, members: int, room: int) -> None:
        self.scheduler = scheduler
        self.room = room
        self.held: dict[int, list[Source]] = {}
        self.crashes: Counter[str] = Counter()  # in which a source was at work
        self.ended: Counter[str] = Counter()
        self.failed: set[str] = set()
        for member in range(members):
            self.start(member)

    def start(self, member: int) -> None:
        self.held[member] = []
        self.follow(self.scheduler.ready(member, self.room))

    def follow(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Give):
                assert len(self.held[action.member]) < self.room
                assert all(action.source not in held for held in self.held.values())
                self.held[action.member].append(action.source)
            elif isinstance(action, Restart):
                self.start(action.member)
            else:
                assert isinstance(action, Fail)
                self.ended[action.source.name] += 1
                self.failed.add(action.source.name)

    def work(self, member: int, blame: str, killers: set[str]) -> None:
        """Finish the oldest source, or crash."""
        held = self.held[member]
        at_work = [source.name for source in (held[:1] if blame == "first" else held)]
        if killers.intersection(at_work):
            self.crashes.update(at_work)
            del self.held[member]
            self.follow(self.scheduler.death(member, "crashed"))
        elif held:
            source = held.pop(0)
            self.ended[source.name] += 1
            self.follow(self.scheduler.outcome(member, source))
            self.follow(self.scheduler.ready(member))


@pytest.mark.parametrize("blame", ["first", "all"])
@given(data=st.data(), members=st.integers(1, 4), room=st.integers(1, 3), number=st.integers(0, 12))
def test_every_source_ends_once_and_only_killers_fail(blame, data, members, room, number) -> None:  # type: ignore[no-untyped-def]
    names = [str(index) for index in range(number)]
    killers = data.draw(st.sets(st.sampled_from(names))) if names else set()
    scheduler = Scheduler(blame)
    world = World(scheduler, members, room)
    arriving = [Source(name, name) for name in names]
    for _ in range(40 * (number + 1)):
        if arriving and data.draw(st.booleans()):
            world.follow(scheduler.add([arriving.pop(0)]))
        busy = [member for member, held in world.held.items() if held]
        if busy:
            world.work(data.draw(st.sampled_from(busy)), blame, killers)
        elif not arriving:
            break
    world.follow(scheduler.add(arriving))
    while busy := [member for member, held in world.held.items() if held]:
        world.work(busy[0], blame, killers)
    assert world.ended == Counter(names)
    assert world.failed == killers
    assert all(world.crashes[name] == 2 for name in killers)
    assert all(world.crashes[name] <= (1 if blame == "all" else 0) for name in set(names) - killers)
    assert not scheduler.unfinished


class Buffering(World):
    """Members that store what they computed only when they are asked, and may be lost with it."""

    def __init__(self, scheduler: Scheduler, members: int, room: int) -> None:
        self.computed: dict[int, list[Source]] = {}
        self.asked: set[int] = set()  # to store
        super().__init__(scheduler, members, room)

    def start(self, member: int) -> None:
        self.computed[member] = []
        self.asked.discard(member)
        super().start(member)

    def follow(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Flush):
                assert self.computed[action.member]
                assert action.member not in self.asked
                self.asked.add(action.member)
            else:
                super().follow([action])

    def compute(self, member: int) -> None:
        source = self.held[member].pop(0)
        self.computed[member].append(source)
        self.follow(self.scheduler.ready(member))
        self.follow(self.scheduler.computed(member, source))

    def store(self, member: int) -> None:
        stored, self.computed[member] = self.computed[member], []
        self.asked.discard(member)
        for source in stored:
            self.ended[source.name] += 1
            self.follow(self.scheduler.outcome(member, source))

    def go(self, member: int, crash: bool) -> None:
        self.held[member] = []
        self.computed[member] = []
        self.follow(self.scheduler.death(member, "crashed") if crash else self.scheduler.loss(member))


@given(data=st.data(), members=st.integers(1, 3), room=st.integers(1, 3), number=st.integers(1, 10))
def test_every_source_is_stored_once_whoever_is_lost(data, members, room, number) -> None:  # type: ignore[no-untyped-def]
    names = [str(index) for index in range(number)]
    scheduler = Scheduler("all")
    world = Buffering(scheduler, members, room)
    world.follow(scheduler.add([Source(name, name) for name in names]))
    accidents = data.draw(st.integers(0, 4))
    while scheduler.unfinished:
        busy = [member for member, held in world.held.items() if held]
        may = [("compute", member) for member in busy] + [("store", member) for member in world.asked]
        if accidents:
            may += [("lost", member) for member in world.held] + [("crashed", member) for member in busy]
        what, member = data.draw(st.sampled_from(may))
        if what == "compute":
            world.compute(member)
        elif what == "store":
            world.store(member)
        else:
            accidents -= 1
            world.go(member, crash=what == "crashed")
    assert world.ended == Counter(names)
