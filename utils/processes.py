"""Child processes: exit with their parent, and describe their exit codes."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent process `parent` exits for any reason (Linux).

    On other systems, a process notices when the connection to its parent closes, unless it hangs in native code.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it exited before
            os._exit(1)


def cause_of_exit(exit_code: int | None) -> str:
    """Describe an exit code of multiprocessing (negative: a signal)."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = ", perhaps because memory ran out" if name == "SIGKILL" else ""
        return f"was killed by {name}{hint}"
    return f"ended with exit code {exit_code}"
