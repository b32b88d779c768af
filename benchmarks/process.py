"""Run a command and measure it: wall time, time to the first line of output, peak memory of the process tree."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLING_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Run:
    seconds: float
    first_line: float  # s until the first line of stdout
    peak_mb: float  # proportional set size of all processes together


def run(command: Sequence[object], cores: set[int] | None = None) -> Run:
    """Run and measure `command`. Raises CalledProcessError, with its stderr, if it fails."""
    began = time.monotonic()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=errors,
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
        ) as process,
    ):
        peaks: list[float] = [0.0]
        watcher = threading.Thread(target=_watch, args=(process, peaks))
        watcher.start()
        assert process.stdout is not None
        process.stdout.readline()
        first = time.monotonic() - began
        process.stdout.read()
        code = process.wait()
        seconds = time.monotonic() - began
        watcher.join()
        if code:
            errors.seek(0)
            raise subprocess.CalledProcessError(code, process.args, stderr=errors.read().decode())
    return Run(seconds, first, max(peaks))


def _watch(process: subprocess.Popen[bytes], peaks: list[float]) -> None:
    while process.poll() is None:
        peaks.append(sum(_memory_mb(each) for each in _family(process.pid)))
        time.sleep(SAMPLING_SECONDS)


def _family(process_id: int) -> Iterator[int]:
    yield process_id
    with suppress(OSError):
        for thread in Path(f"/proc/{process_id}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _family(int(child))


def _memory_mb(process_id: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
