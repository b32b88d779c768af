"""Ctrl-C and SIGTERM: the run ends cleanly, and the same command goes on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from command import Result, wait_until
from outputs import outputs
from victim import Undisturbed, Victim, check_rerun, new


def check_interrupted(result: Result) -> None:
    assert (result.code, result.stdout) == (130, "")
    assert "interrupted; finished outputs are complete, and the same command continues from there" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("sink", "point"), [("save_tfrecord", "replace-clip1_codes.tfrecord"), ("save_table", "decode-clip3")]
)
def test_sigterm_to_all_as_a_batch_system_sends_it(
    sink: str, point: str, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    victim = new(tmp_path, sink)
    victim.plan({point: "hold"})
    with victim.running() as run:
        run.reached(point)
        run.signal(signal.SIGTERM)
        check_interrupted(run.end())
    assert victim.leftovers() == []
    assert outputs(victim.stored).items() < undisturbed(sink).items() or sink == "save_table"
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
