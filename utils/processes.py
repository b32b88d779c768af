"""Child processes: exit with their parent, and describe their exit codes."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded here, since little may be done between fork and exec

# For the environment of a process: glibc would return the memory of large arrays after each use, and the kernel would
# clear the pages again. That takes some 5 % of a network's time on a CPU, and a third of that of resizing large frames.
KEEP_MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": f"{1 << 30}", "MALLOC_TRIM_THRESHOLD_": f"{1 << 30}"}


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent process `parent` exits for any reason (Linux).

    On other systems, a process notices when the connection to its parent closes, unless it hangs in native code.
    """
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it exited before
            os._exit(1)


def cause_of_exit(exit_code: int | None) -> str:
    """Describe the exit code of a child process (negative: a signal)."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = ", perhaps because memory ran out" if name == "SIGKILL" else ""
        return f"was killed by {name}{hint}"
    return f"ended with exit code {exit_code}"
