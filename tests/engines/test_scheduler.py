"""The scheduler decides by events alone, so every story can be told to it."""

from __future__ import annotations

from torch_zoo.utils.engines.scheduler import IDLE_DEATHS, Abort, Fail, Flush, Give, Restart, Scheduler
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
