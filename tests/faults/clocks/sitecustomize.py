"""Imported by Python itself where this folder is in PYTHONPATH: clocks that jump when a test says by how much.

The file named by CLOCKS has two numbers, s: of the wall clock and of the monotonic one. `<file>.<process id>` gets a
byte each time that a process asks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

JUMPS = Path(os.environ["CLOCKS"])


def _shifted(clock: Callable[[], float], which: int) -> float:
    with JUMPS.with_name(f"{JUMPS.name}.{os.getpid()}").open("ab", buffering=0) as asked:
        asked.write(b".")
    return clock() + (float(JUMPS.read_text().split()[which]) if JUMPS.exists() else 0)


time.time = partial(_shifted, time.time, 0)
time.monotonic = partial(_shifted, time.monotonic, 1)
