"""A device worker, as seen by the process that starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from torch_zoo.utils.engines.channel import Channel
from torch_zoo.utils.engines.worker import WorkerConfig
from torch_zoo.utils.processes import KEEP_MEMORY, cause_of_exit

STOP_SECONDS = 5.0  # for a worker to end by itself before it is killed
PROGRAM = (
    "import sys; sys.path[:] = eval(sys.argv[1]); from torch_zoo.utils.engines import worker; "
    "worker.main(int(sys.argv[2]))"
)


class WorkerProcess:
    """`channel` has its messages, and ends when the process does; `server` is its connection to a decoder server."""

    def __init__(self, config: WorkerConfig, server: Channel, token: str) -> None:
        self.channel, theirs = Channel.pair()
        settings = {"OMP_NUM_THREADS": f"{config.threads}", "MKL_NUM_THREADS": f"{config.threads}"}
        if config.device == "cpu":
            settings |= KEEP_MEMORY
        with interrupt_blocked():
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, repr(sys.path), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | settings,
            )
        theirs.close()
        self.send((config, token), server)
        server.close()

    def send(self, message: object, *channels: Channel) -> None:
        with suppress(OSError):  # it has ended, which reading from it will tell
            self.channel.send(message, [channel.fileno() for channel in channels])

    def cause_of_end(self) -> str:
        """Wait for its end, and describe it."""
        return f"its worker {cause_of_exit(self._process.wait())}"

    def ask_to_end(self, idle: bool) -> None:
        """By a message if it is idle, else by SIGTERM."""
        if idle:
            self.send(None)
        else:
            self._process.terminate()

    def end(self) -> None:
        """Wait for its end; SIGKILL if it takes too long."""
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.channel.close()


@contextmanager
def interrupt_blocked() -> Iterator[None]:
    """Processes started in here never see Ctrl-C: the driver ends them."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
