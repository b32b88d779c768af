"""What a GPU does to a run, simulated: its memory runs out, or its context is of no use any more."""

from __future__ import annotations

import pytest
from outputs import outputs
from points import ERRORS
from victim import Undisturbed, Victim


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_of_the_device_costs_a_new_worker_and_nothing_else(
    error: str, victim: Victim, undisturbed: Undisturbed
) -> None:
    victim.plan({"forward": f"once {error}"})
    result = victim.run()
    assert result.code == 0, result.stderr
    assert f"RuntimeError: {ERRORS[error]}" in result.stderr
    assert outputs(victim.stored) == undisturbed("save_numpy")
    assert victim.leftovers() == []
