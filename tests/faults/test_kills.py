"""Processes that are killed: the run goes on if its driver lives, and the same command completes it if not."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from media_maker import write_mono
from outputs import outputs
from victim import CLIPS, Undisturbed, Victim, check_rerun, new


def test_decoders_that_end_once_cost_nothing(victim: Victim, undisturbed: Undisturbed) -> None:
    victim.plan(
        {
            "decode-clip0": "once kill",
            "decode-clip1": "once segfault",
            "decode-clip2": "once hang",
            "decode-clip3": "once hoard",
            "decode-music": "hold",
        }
    )
    with replace(victim, more=("timeout=3", "decoder_memory=400000000")).running() as run:
        run.reached("decode-music")
        assert (run.zombies(), run.shared_files()) == ([], [])
        run.release("decode-music")
        assert run.end().code == 0
    assert outputs(victim.stored) == undisturbed("save_numpy")
    assert victim.leftovers() == []


def test_what_ends_a_process_twice_fails_alone(tmp_path: Path, undisturbed: Undisturbed) -> None:
    victim = new(tmp_path, "save_npz")
    victim.plan({"decode-clip0": "kill", "replace-clip2.npz": "kill"})  # of a decoder, and of the worker
    result = victim.run()
    assert result.code == 1
    assert f"{len(CLIPS) - 2} done, 0 skipped, 0 empty, 2 failed" in result.stderr
    for source, process in (("clip0", "decoder"), ("clip2", "worker")):
        reason = f"its {process} was killed by SIGKILL, perhaps because memory ran out; tried twice"
        assert f"failed: {victim.clips / source}.wav: {reason}" in result.stderr
    assert victim.leftovers() == []
    victim.plan({})
    check_rerun(victim, undisturbed, f"2 done, {len(CLIPS) - 2} skipped")


def test_many_that_end_their_decoders_in_a_row_are_no_reason_to_stop(victim: Victim) -> None:
    (victim.clips / "many").mkdir()
    clips = [write_mono(victim.clips / "many" / f"many{number}.wav", 0.2, 8000) for number in range(64)]
    victim.plan({f"decode-{clip.name}": "kill" for clip in clips})
    result = replace(victim, more=("num_decoders=2",)).run()
    assert result.code == 1
    assert f"{len(CLIPS)} done, 0 skipped, 0 empty, {len(clips)} failed" in result.stderr


def test_a_killed_worker_costs_nothing(tmp_path: Path, undisturbed: Undisturbed) -> None:
    victim = new(tmp_path, "save_tfrecord")
    points = ("forward", "replace-clip2_codes.tfrecord")
    victim.plan({**dict.fromkeys(points, "hold"), "decode-music": "hold"})
    with victim.running() as run:
        for point in points:
            os.kill(run.reached(point), signal.SIGKILL)
            run.release(point)
        run.reached("decode-music")
        assert run.zombies() == []
        run.release("decode-music")
        assert run.end().code == 0
    assert outputs(victim.stored) == undisturbed(victim.sink)
    assert victim.leftovers() == []


@pytest.mark.parametrize(
    ("sink", "point"),
    [
        ("save_numpy", "replace-clip3_codes.npy"),
        ("save_table", "append-embeddings"),
        ("save_hdf5", "replace-features.h5"),
        ("save_webdataset", "append-features"),
    ],
)
def test_everything_killed_in_the_middle_of_a_write(
    sink: str, point: str, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    victim = new(tmp_path, sink)
    victim.plan({point: "hold"})
    with victim.running() as run:
        run.reached(point)
        run.signal(signal.SIGKILL)
        run.end()
    assert victim.leftovers()  # half of a file
    victim.plan({})
    check_rerun(victim, undisturbed)


def test_nothing_outlives_the_driver(tmp_path: Path, undisturbed: Undisturbed) -> None:
    victim = new(tmp_path, "save_pickle")
    point = "replace-clip1_levels.pkl"
    victim.plan({point: "hold", "decode-clip3": "hang"})
    with victim.running() as run:
        run.reached(point)
        run.process.kill()
        run.end()
    victim.plan({})
    check_rerun(victim, undisturbed)
