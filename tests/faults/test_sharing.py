"""Runs at the same time on one folder, on one machine or on several without locks: no source is done twice, or lost."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from command import Result, group_members, wait_until
from faulty import ELSEWHERE
from outputs import outputs
from victim import CLIPS, SECONDS, Running, Undisturbed, Victim, new

SINKS = ["save_numpy", "save_table", "save_hdf5", "save_webdataset"]
WORLDS = ["here", ELSEWHERE]


@contextmanager
def waiting_for_another(victim: Victim, world: str, point: str) -> Iterator[tuple[Running, Running]]:
    """Two runs, of which the first holds at a point, and the second has done all that the first has not claimed."""
    victim.plan({point: "hold", world: ""})
    with victim.running() as first:
        first.reached(point)
        with victim.running() as second:
            log = Log(victim)
            assert wait_until(lambda: "waiting for the sources that other runs extract" in log.text, SECONDS)
            yield first, second


class Log:
    """Of all runs, as far as it is on disk."""

    def __init__(self, victim: Victim) -> None:
        self._folder = victim.stored

    @property
    def text(self) -> str:
        return "".join(path.read_text() for path in self._folder.glob("runs/*/run.log"))


def counts(*results: Result) -> dict[str, int]:
    """Of all runs together."""
    found = [re.findall(r"(\d+) (done|skipped|failed)", result.stderr) for result in results]
    return {state: sum(int(number) for each in found for number, what in each if what == state) for state in COUNTED}


COUNTED = ("done", "skipped", "failed")


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("sink", SINKS)
def test_two_runs_share_the_work(sink: str, world: str, tmp_path: Path, undisturbed: Undisturbed) -> None:
    victim = new(tmp_path, sink)
    with waiting_for_another(victim, world, "decode-clip0") as (first, second):
        first.release("decode-clip0")
        results = first.end(), second.end()
    assert [result.code for result in results] == [0, 0]
    assert all(counts(result)["done"] for result in results)
    assert counts(*results) == {"done": len(CLIPS), "skipped": len(CLIPS), "failed": 0}
    assert outputs(victim.stored) == undisturbed(sink)
    assert victim.leftovers() == []


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("sink", ["save_numpy", "save_table"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_what_an_ended_run_had_claimed_is_taken_over(
    sink: str, world: str, end: signal.Signals, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    victim = new(tmp_path, sink)
    with waiting_for_another(victim, world, "decode-clip0") as (first, second):
        first.release("decode-clip0") if end == signal.SIGINT else None
        first.signal(end)
        first.end()
        (victim.points / "decode-clip0").unlink(missing_ok=True)
        result = second.end()
    assert result.code == 0
    assert counts(result)["failed"] == 0
    assert outputs(victim.stored) == undisturbed(sink)
    assert victim.leftovers() == []


@pytest.mark.parametrize("world", WORLDS)
def test_a_run_killed_while_it_merges_holds_up_nobody(world: str, tmp_path: Path, undisturbed: Undisturbed) -> None:
    victim = new(tmp_path, "save_hdf5")
    victim.plan({"replace-features.h5": "hold", world: ""})
    with victim.running() as first:
        first.reached("replace-features.h5")
        with victim.running() as second:  # which begins with a lock that is taken
            assert wait_until(lambda: len(list(victim.stored.glob(".sharing/runs/*"))) == 2, SECONDS)
            assert group_members(second.process.pid)
            first.signal(signal.SIGKILL)
            first.end()
            (victim.points / "replace-features.h5").unlink()
            assert second.end().code == 0
    assert outputs(victim.stored) == undisturbed("save_hdf5")
    assert victim.leftovers() == []


@pytest.mark.parametrize("world", WORLDS)
def test_what_failed_in_one_run_is_not_tried_by_the_other(world: str, tmp_path: Path) -> None:
    victim = new(tmp_path, "save_numpy")
    bad = victim.clips / "a_bad.wav"  # the first of the list
    bad.write_bytes(b"no sound")
    with_sound = victim.clips / "clip1.wav"
    victim.plan({"decode-clip0": "hold", world: ""})
    with victim.running() as first:
        first.reached("decode-clip0")
        shutil.copy(with_sound, bad)  # now it would not fail
        with victim.running() as second:
            log = Log(victim)
            assert wait_until(lambda: "waiting for the sources that other runs extract" in log.text, SECONDS)
            first.release("decode-clip0")
            results = first.end(), second.end()
    assert [result.code for result in results] == [1, 1]
    assert [counts(result)["failed"] for result in results] == [1, 1]
    [reason] = {line for result in results for line in re.findall(r"failed: \S*a_bad\.wav: .*", result.stderr)}
    with (victim.stored / "failures.csv").open() as file:
        [row] = csv.DictReader(file)
    assert reason.endswith(row["error"])
    assert row["tried_with"]


@pytest.mark.parametrize("world", WORLDS)
def test_other_settings_are_refused_while_a_run_goes_on(world: str, victim: Victim, undisturbed: Undisturbed) -> None:
    victim.plan({"decode-clip0": "hold", world: ""})
    with victim.running() as first:
        first.reached("decode-clip0")
        assert wait_until((victim.stored / "extraction.yaml").exists, SECONDS)
        other = replace(victim, more=("keys=[codes]",)).run()
        assert other.code == 2
        assert "another run is writing features with" in other.stderr or "holds features made with" in other.stderr
        assert (victim.stored / ".sharing").exists()
        first.release("decode-clip0")
        assert first.end().code == 0
    assert outputs(victim.stored) == undisturbed("save_numpy")
    assert victim.leftovers() == []


def test_a_machine_that_is_gone_delays_a_short_run_by_the_beats_it_missed(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    """Its journal is put into the file, not left for a third run."""
    victim = new(tmp_path, "save_table")
    victim.plan({"decode-music": "hold", ELSEWHERE: ""})
    with victim.running() as first:
        first.reached("decode-music")
        assert wait_until(lambda: any(victim.stored.glob("*.journal")), SECONDS)
        os.killpg(first.process.pid, signal.SIGKILL)
        first.end()
    victim.plan({ELSEWHERE: ""})
    assert victim.run().code == 0
    assert outputs(victim.stored) == undisturbed("save_table")
    assert victim.leftovers() == []
