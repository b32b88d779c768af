"""Runs that share a folder: on one machine, and on several without locks."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import sharers
from sharers import NAMES, TURNS, count_up, hold, inherit, source, started, take_all

from torch_zoo.utils.sinks import member as members
from torch_zoo.utils.sinks.claims import Claims
from torch_zoo.utils.sinks.member import FOLDER, MISSED_BEATS, Member
from torch_zoo.utils.types import Outcome

WORLDS = ["here", "elsewhere"]  # of the other runs
SHARERS = 4


@contextmanager
def sharing(action: Any, folder: Path, world: str, *each: tuple[Any, ...]) -> Iterator[list[tuple[BaseProcess, Any]]]:
    machines = [f"machine {number}" if world == "elsewhere" else "" for number in range(len(each))]
    running = [started(action, folder, machine, *more) for machine, more in zip(machines, each, strict=True)]
    try:
        yield running
    finally:
        for process, _ in running:
            process.kill()
            process.join()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is on a machine of its own."""
    monkeypatch.setattr(sharers.fcntl, "flock", sharers.fcntl.flock)  # put back afterwards, and so are the others
    monkeypatch.setattr(members, "place", members.place)
    monkeypatch.setattr(members, "BEAT_SECONDS", members.BEAT_SECONDS)
    sharers.go_elsewhere("this machine")


@pytest.mark.parametrize("world", WORLDS)
def test_each_source_is_claimed_by_one(world: str, tmp_path: Path) -> None:
    with sharing(take_all, tmp_path, world, *((seed,) for seed in range(SHARERS))) as running:
        taken = [queue.get() for _, queue in running]
    assert sorted(name for names in taken for name in names) == sorted(NAMES)


@pytest.mark.parametrize("world", WORLDS)
def test_one_is_in_a_lock_at_a_time_and_the_last_leaves_nothing(world: str, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    with sharing(count_up, tmp_path, world, *[(counter,)] * SHARERS) as running:
        for process, _ in running:
            process.join()
    assert counter.read_text() == str(SHARERS * TURNS)
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]


@pytest.mark.parametrize("world", WORLDS)
def test_what_a_killed_run_held_passes_on_to_one(world: str, tmp_path: Path) -> None:
    with sharing(hold, tmp_path, world, ()) as holding:
        [(process, queue)] = holding
        queue.get()
        with sharing(inherit, tmp_path, world, *[()] * SHARERS) as heirs:
            time.sleep(1.5 * MISSED_BEATS * sharers.BEAT_SECONDS)
            assert all(queue.empty() for _, queue in heirs), "who lives keeps what it holds, however slow it is"
            process.kill()
            process.join()
            taken = [queue.get() for _, queue in heirs]
    assert sorted(taken) == [*[[]] * (SHARERS - 1), ["open"]]


@pytest.mark.usefixtures("elsewhere")
def test_a_run_elsewhere_is_dead_after_so_many_missed_beats(tmp_path: Path) -> None:
    with sharing(hold, tmp_path, "elsewhere", ()) as [(process, queue)]:
        other = queue.get()
        run = Member(tmp_path)
        run._register()
        run.wait_until_known()
        assert run.others() == [other]
        process.kill()
        process.join()
    seen = run._seen[other].beats
    while run.is_other(other):
        time.sleep(0.01)
    assert run._beats - seen >= MISSED_BEATS
    run.leave()
    assert list(tmp_path.iterdir()) == []


def test_settled_claims_last_and_others_are_free_when_their_run_leaves(tmp_path: Path) -> None:
    first, second = Member(tmp_path), Member(tmp_path)
    first.join()
    second.join()
    theirs, ours = Claims(first), Claims(second)
    assert all(theirs.take(source(name)) for name in ("done", "empty", "failed", "open"))
    theirs.settle(Outcome(source("done"), "done"))
    theirs.settle(Outcome(source("empty"), "empty", "shorter than 0.96 s"))
    theirs.settle(Outcome(source("failed"), "failed", "no sound\nat all", attempt="7f"))
    assert not any(ours.take(source(name)) for name in ("done", "empty", "failed", "open"))
    assert ours.holders == [f"process {os.getpid()} on {members.socket.gethostname()}"]
    theirs.__exit__(None, None, None)
    assert ours.holders == []
    assert [each.name for each in ours.wait()] == ["done", "empty", "failed", "open"]
    assert ours.left == []
    assert ours.outcome(source("empty")) == Outcome(source("empty"), "empty", "shorter than 0.96 s")
    failed = Outcome(source("failed"), "failed", "no sound at all", attempt="7f")
    assert ours.outcome(source("failed")) == failed
    assert ours.outcome(source("open")) is None
    assert ours.take(source("open"))
    gone = ours.outcome(source("done"))  # asked where its features were looked for, and not found
    assert gone and (gone.status, gone.message[-19:]) == ("failed", "are no longer there")
    ours.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_claims_that_an_interrupted_run_has_no_time_to_remove_are_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch_zoo.utils.sinks.claims.INTERRUPTED_SECONDS", -1.0)
    run = Member(tmp_path)
    run.join()
    claims = Claims(run)
    claims.take(source("a"))
    claims.settle(Outcome(source("a"), "failed", "no sound"))
    claims.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert list((tmp_path / FOLDER).iterdir())
    run.join()
    assert claims.outcome(source("a")) is None
    run.leave()
    assert list(tmp_path.iterdir()) == []


def test_without_symbolic_links_runs_go_on_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    run = Member(tmp_path)
    with caplog.at_level(logging.WARNING):
        run.join()
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: runs at the same time can't share their work, without symbolic links there"
    ]
    claims = Claims(run)
    assert claims.take(source("a"))
    claims.settle(Outcome(source("a"), "done"))
    with run.lock() as link:
        assert link is None
    assert (run.others(), claims.left) == ([], [])
    run.leave()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_deleted_stops_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "features"
    run = Member(folder)
    run.join()
    claims = Claims(run)
    shutil.rmtree(folder)
    assert claims.take(source("a"))
    claims.__exit__(None, None, None)
    assert not folder.exists()
