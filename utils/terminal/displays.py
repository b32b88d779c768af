"""Where progress is shown: a bar on a terminal, lines elsewhere, or nowhere. All are shown the status twice a second.

Whoever calls them holds the lock of `turn`.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from tqdm import tqdm

from torch_zoo.utils.terminal.status import Status, clock

TICK_SECONDS = 0.5  # so that no second of a clock is missed
LOG_SECONDS = 10.0  # between two lines where there is no terminal
SAME_SECONDS = 60.0  # the same, where nothing has changed


def turn() -> AbstractContextManager[object]:
    """The lock of tqdm, which whoever writes on the terminal holds; one thread may hold it twice."""
    lock: AbstractContextManager[object] = tqdm.get_lock()  # type: ignore[no-untyped-call]
    return lock


class Display:
    """Shows nothing."""

    def show(self, status: Status) -> None:
        """How the run stands now."""

    def close(self, status: Status) -> None:
        """The run has ended."""


class Bar(Display):
    """A line that is drawn again and again, below all others."""

    def __init__(self) -> None:
        layout = "{percentage:3.0f}%|{bar}| {desc}"
        self._bar = _Unwatched(total=1.0, bar_format=layout, dynamic_ncols=True, file=sys.stderr)

    def show(self, status: Status) -> None:
        left = "?" if status.left is None else clock(status.left)
        first, *others = status.facts
        self._bar.n = status.share
        self._bar.desc = f"{first} [{', '.join([f'{clock(status.seconds)}<{left}', *others])}]"
        self._bar.refresh(nolock=True)

    def close(self, status: Status) -> None:
        self.show(status)
        self._bar.leave = bool(status.of)
        self._bar.close()


class _Unwatched(tqdm):  # type: ignore[type-arg]  # it iterates over nothing
    """Drawn by nobody else: tqdm would start a thread that draws what has not been updated for ten seconds."""

    monitor_interval = 0


class Log(Display):
    """A line every ten seconds, or every minute where nothing has changed."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said = ""
        self._said_at = 0.0  # s since the start

    def show(self, status: Status) -> None:
        text, seconds = ", ".join(status.facts), status.seconds - self._said_at
        if seconds < LOG_SECONDS or (text == self._said and seconds < SAME_SECONDS):
            return
        self._said, self._said_at = text, status.seconds
        left = "" if status.left is None else f", {clock(status.left)} left"
        self._say(f"{clock(status.seconds)} {text}{left}")


class Ticker:
    """Calls `tick` twice a second, in a thread of its own, when it is its turn."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Also if it has not been started."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(TICK_SECONDS)  # not for longer: Ctrl-C may have left the lock taken

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # the main thread waits for them
        while True:
            with turn():
                self._tick()
            if self._stopped.wait(TICK_SECONDS):
                return
