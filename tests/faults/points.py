"""Points in the processes of a run at which a test has something happen.

`<folder>/<point>` says what: "hold", a crash of `actors.CRASHES`, or an error of `ERRORS`; after "once", it happens the
first time only. Whoever holds says so in `<folder>/<point>.reached`, with its process id, and goes on when the plan is
deleted.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from actors import CRASHES

ERRORS = {
    "out of memory": "CUDA out of memory. Tried to allocate 2.00 GiB",
    "poisoned": "CUDA error: an illegal memory access was encountered",
}
_poisoned: list[str] = []  # a CUDA context that failed fails for good, until its process ends


def reach(folder: Path, point: str) -> None:
    """Do what a test wants at this point, if anything."""
    if _poisoned:
        raise RuntimeError(*_poisoned)
    plan = folder / point
    try:
        action = plan.read_text()
    except FileNotFoundError:
        return
    if action.startswith("once "):
        plan.unlink()
        action = action.removeprefix("once ")
    if action == "hold":
        _hold(plan)
    elif action == "hold on":  # as native code does, whatever it is told
        signal.signal(signal.SIGTERM, lambda *_: plan.with_name(f"{point}.told").touch())
        _hold(plan)
    elif action in ERRORS:
        if action == "poisoned":
            _poisoned.append(ERRORS[action])
        raise RuntimeError(ERRORS[action])
    else:
        CRASHES[action]()


def _hold(plan: Path) -> None:
    partial = plan.with_name(f"{plan.name}.writing")
    partial.write_text(str(os.getpid()))
    partial.rename(plan.with_name(f"{plan.name}.reached"))
    while plan.exists():
        time.sleep(0.01)
