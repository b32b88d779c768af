"""The scheduler decides by events alone, so every story can be told to it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.utils.engines.scheduler import IDLE_DEATHS, Abort, Action, Fail, Flush, Give, Restart, Scheduler
from torch_zoo.utils.types import Source

A, B, C, D = (Source(f"{name}.mp4", name) for name in "abcd")


def test_sources_are_given_in_order_to_who_has_room() -> None:
    scheduler = Scheduler("all")
    assert scheduler.add([A, B, C]) == []
    assert scheduler.ready(0, 2) == [Give(0, A), Give(0, B)]
    assert scheduler.ready(1) == [Give(1, C)]
    assert scheduler.outcome(0, A) == []
    assert scheduler.leases(0) == [B]
    assert scheduler.add([D]) == []
    assert scheduler.ready(0) == [Give(0, D)]
    assert scheduler.unfinished


def test_all_leases_of_a_member_that_mixes_them_are_tried_alone() -> None:
    scheduler = Scheduler("all")
    scheduler.add([A, B, C])
    scheduler.ready(0, 2)
    assert scheduler.death(0, "was killed") == [Restart(0)]
    assert scheduler.ready(0, 2) == [Give(0, A)]  # nothing beside it
    assert scheduler.outcome(0, A) == [Give(0, B)]
    assert scheduler.death(0, "was killed") == [Fail(B, "was killed"), Restart(0)]
    assert scheduler.ready(0, 2) == [Give(0, C)]
    assert scheduler.outcome(0, C) == []
    assert not scheduler.unfinished


def test_only_the_oldest_lease_of_a_member_that_works_in_order_is_suspect() -> None:
    scheduler = Scheduler("first")
    scheduler.add([A, B, C])
    scheduler.ready(0, 2)
    assert scheduler.death(0, "hung") == [Restart(0)]
    assert scheduler.ready(0, 2) == [Give(0, A)]
    assert scheduler.outcome(0, A) == [Give(0, B)]
    assert scheduler.ready(0) == [Give(0, C)]


def test_what_is_computed_but_not_stored_is_only_given_again() -> None:
    scheduler = Scheduler("all")
    scheduler.add([A, B, C])
    scheduler.ready(0, 2)
    assert scheduler.computed(0, A) == []
    assert scheduler.ready(0) == [Give(0, C)]  # a lease that is computed takes no room
    assert scheduler.leases(0) == [A, B, C]
    assert scheduler.death(0, "was killed") == [Restart(0)]
    assert scheduler.ready(0, 3) == [Give(0, B)]  # a suspect, alone
    assert scheduler.outcome(0, B) == [Give(0, C)]
    assert scheduler.ready(0) == []
    assert scheduler.outcome(0, C) == [Give(0, A)]  # no suspect
    assert scheduler.death(0, "was killed") == [Restart(0)]


def test_a_member_that_has_nothing_else_to_do_is_asked_to_store_once() -> None:
    scheduler = Scheduler("all")
    scheduler.add([A, B])
    scheduler.ready(0, 2)
    scheduler.ready(0, 2)
    assert scheduler.computed(0, A) == []
    assert scheduler.computed(0, B) == [Flush(0)]
    assert scheduler.ready(1) == []
    assert scheduler.unfinished
    assert scheduler.outcome(0, A) == []
    assert scheduler.outcome(0, B) == []
    assert not scheduler.unfinished


def test_a_suspect_is_given_only_to_members_that_have_stored_everything() -> None:
    scheduler = Scheduler("all")
    scheduler.add([A, B])
    assert [scheduler.ready(member) for member in (0, 1)] == [[Give(0, A)], [Give(1, B)]]
    assert scheduler.ready(0) == []
    assert scheduler.computed(0, A) == [Flush(0)]
    assert scheduler.death(1, "was killed") == [Restart(1)]
    assert scheduler.outcome(0, A) == [Give(0, B)]


def test_a_loss_makes_no_suspects() -> None:
    scheduler = Scheduler("all")
    scheduler.add([A, B, C, D])
    scheduler.ready(0, 3)
    scheduler.computed(0, A)
    assert scheduler.loss(0) == [Restart(0)]
    assert scheduler.ready(1, 3) == [Give(1, A), Give(1, B), Give(1, C)]
    for _ in range(IDLE_DEATHS + 1):
        scheduler.loss(0)
    assert scheduler.unfinished


def test_a_suspect_that_was_lost_remains_one() -> None:
    scheduler = Scheduler("all")
    scheduler.add([A])
    scheduler.ready(0)
    scheduler.death(0, "was killed")
    scheduler.ready(0)
    assert scheduler.loss(0) == [Restart(0)]
    scheduler.ready(0)
    assert scheduler.death(0, "was killed") == [Fail(A, "was killed")]


def test_a_member_that_dies_without_work_is_started_again_only_for_work() -> None:
    scheduler = Scheduler("first")
    scheduler.ready(0)
    assert scheduler.death(0, "exited") == []
    assert scheduler.add([A]) == [Restart(0)]


def test_members_that_die_whatever_they_do_end_the_run() -> None:
    scheduler = Scheduler("all")
    scheduler.add([A])
    assert [scheduler.death(0, "exited") for _ in range(IDLE_DEATHS)][-1] == [Abort("exited")]


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
