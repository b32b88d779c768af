"""Ctrl-C and SIGTERM: the run ends cleanly, and the same command goes on."""

from __future__ import annotations

import signal
from pathlib import Path

from command import Result, wait_until
from outputs import outputs
from victim import Undisturbed, Victim, check_rerun, new


def check_interrupted(result: Result) -> None:
    assert (result.code, result.stdout) == (130, "")
    assert "interrupted; finished outputs are complete, and the same command continues from there" in result.stderr
    assert "Traceback" not in result.stderr


def test_sigterm_to_all_as_a_batch_system_sends_it(tmp_path: Path, undisturbed: Undisturbed) -> None:
    """While a file is being written."""
    victim = new(tmp_path, "save_tfrecord")
    victim.plan({"replace-clip1_codes.tfrecord": "hold"})
    with victim.running() as run:
        run.reached("replace-clip1_codes.tfrecord")
        run.signal(signal.SIGTERM)
        check_interrupted(run.end())
    assert victim.leftovers() == []
    assert outputs(victim.stored).items() < undisturbed(victim.sink).items()
    victim.plan({})
    check_rerun(victim, undisturbed)


def test_sigterm_to_the_driver(tmp_path: Path, undisturbed: Undisturbed) -> None:
    victim = new(tmp_path, "save_table")
    victim.plan({"decode-clip3": "hold"})
    with victim.running() as run:
        run.reached("decode-clip3")
        run.process.terminate()
        check_interrupted(run.end())
    assert victim.leftovers() == []
    victim.plan({})
    check_rerun(victim, undisturbed)


def test_the_second_ctrl_c_does_not_wait(victim: Victim, undisturbed: Undisturbed) -> None:
    """For a worker that is deep in native code, which the first one has told to end."""
    victim.plan({"forward": "hold on"})
    with victim.running() as run:
        run.reached("forward")
        run.signal(signal.SIGINT)
        assert wait_until((victim.points / "forward.told").exists, 60)
        run.signal(signal.SIGINT)
        check_interrupted(run.end())
    victim.plan({})
    check_rerun(victim, undisturbed)
