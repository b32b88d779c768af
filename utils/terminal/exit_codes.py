"""How every command ends: 0 all well, 1 something failed, 2 the options are wrong, 130 interrupted.

Nothing is imported here that takes time, so that Ctrl-C is understood from the start.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import NoReturn

from torch_zoo.utils.terminal.colors import Style, styled

Main = Callable[[Sequence[str]], int]
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def command(interrupted: str) -> Callable[[Main], Callable[..., int]]:
    """Make a main function return an exit code, whatever happens in it; errors are one line on stderr.

    The function takes the arguments (by default the process's own) and returns 0 or 1. `interrupted` is said after
    Ctrl-C and SIGTERM. Errors that are nobody's intention remain tracebacks.
    """

    def decorate(main: Main) -> Callable[..., int]:
        @wraps(main)
        def run(arguments: Sequence[str] | None = None) -> int:
            received: list[int] = []

            def interrupt(number: int, _: object) -> NoReturn:
                received.append(number)
                raise KeyboardInterrupt

            def work() -> int:
                for number in INTERRUPTS:
                    if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell's background jobs ignore SIGINT
                        signal.signal(number, interrupt)
                _check_streams()
                code = _code(main, sys.argv[1:] if arguments is None else arguments)
                sys.stdout.flush()
                return code

            def ignore_signals() -> None:
                """While Python shuts down, one more would kill it, and change the exit code."""
                for number in INTERRUPTS if arguments is None else ():
                    signal.signal(number, signal.SIG_IGN)

            try:
                return explained(work)
            except (KeyboardInterrupt, Exception) as error:
                if not received and not isinstance(error, KeyboardInterrupt):
                    raise  # else an import that was interrupted may have raised something of its own, as NumPy's does
                ignore_signals()
                _say("interrupted;", "yellow", interrupted)
                return 130
            finally:
                ignore_signals()
                _silence_stdout_if_broken()

        return run

    return decorate


def explained(work: Callable[[], int]) -> int:
    """The exit code of `work`; what goes wrong in it is said in a line. Raises what is nobody's intention."""
    try:
        return work()
    except Exception as error:
        code = _explain(error)
        _silence_stdout_if_broken()
        return code


def _code(main: Main, arguments: Sequence[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:  # argparse has shown its help, or said what is wrong
        return int(end.code or 0)


def _check_streams() -> None:
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - print would take stdout
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise OSError(0, "closed; to discard what is printed, add >/dev/null", "stdout")


def _explain(error: Exception) -> int:
    """Say what happened and return the exit code; raises what is not for people."""
    from torch_zoo.utils.types import TorchZooError, UsageError

    if isinstance(error, TorchZooError):
        _say("error:", "red", str(error))
        return 2 if isinstance(error, UsageError) else 1
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        _say("error:", "red", f"{where}{error.strerror or error}")
        return 1
    raise error


def _say(what: str, color: Style, text: str) -> None:
    print(styled(what, "bold", color, stream=sys.stderr), text, file=sys.stderr)


def _silence_stdout_if_broken() -> None:
    """What is left in the buffer can't be written; Python would try once more at the exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
