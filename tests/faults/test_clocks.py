"""Clocks that jump: the wall clock is set back, and the whole machine stood still for an hour."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from command import group_members, wait_until
from outputs import outputs
from victim import HERE, IMPORTS, Undisturbed, Victim

HOUR = 3600  # s


def test_a_run_does_not_notice(victim: Victim, undisturbed: Undisturbed) -> None:
    """Although a decoder seems to have made no progress for longer than the timeout."""
    jumps = victim.points / "clocks"
    environment = {"CLOCKS": str(jumps), "PYTHONPATH": f"{HERE / 'clocks'}{os.pathsep}{IMPORTS['PYTHONPATH']}"}
    victim.plan({"decode-clip1": "hold"})
    with replace(victim, more=("timeout=60",)).running(environment) as run:
        decoder = run.reached("decode-clip1")
        watcher = int(Path(f"/proc/{decoder}/stat").read_text().rpartition(")")[2].split()[1])  # its parent
        asked = jumps.with_name(f"clocks.{watcher}")
        wait_for_looks(asked)
        (victim.points / "jump").write_text(f"{-HOUR} {HOUR}")
        (victim.points / "jump").rename(jumps)
        wait_for_looks(asked)
        assert decoder in group_members(run.process.pid)
        run.release("decode-clip1")
        result = run.end()
    assert result.code == 0, result.stderr
    assert outputs(victim.stored) == undisturbed("save_numpy")
    assert victim.leftovers() == []


def wait_for_looks(asked: Path) -> None:
    """Whoever watches the decoders asks for the time at each look at them."""
    before = asked.stat().st_size
    assert wait_until(lambda: asked.stat().st_size > before + 2, 60)
