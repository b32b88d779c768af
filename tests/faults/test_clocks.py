"""Clocks that jump: the wall clock is set, or the whole machine stood still."""

from __future__ import annotations

from dataclasses import replace

import pytest
from outputs import outputs
from victim import Undisturbed, Victim

HOUR = 3600


@pytest.mark.parametrize(("wall", "monotonic"), [(-HOUR, 0), (HOUR, HOUR)], ids=["set back", "suspended"])
def test_a_run_does_not_notice(wall: int, monotonic: int, victim: Victim, undisturbed: Undisturbed) -> None:
    """Although a decoder made no progress for longer than the timeout, as it seems."""
    victim.plan({"decode-clip1": "hold"})
    with replace(victim, more=("timeout=30",)).running() as run:
        run.reached("decode-clip1")
        (victim.points / "clocks").write_text(f"{wall} {monotonic}")
        run.reached("watched")
        run.release("decode-clip1")
        result = run.end()
    assert result.code == 0, result.stderr
    assert "no progress" not in result.stderr
    assert outputs(victim.stored) == undisturbed("save_numpy")
    assert victim.leftovers() == []
