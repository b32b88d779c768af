"""Run `python main.py ...` as a user does, and inspect the results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import rounding

ROOT = Path(__file__).parents[1]
SPEECH, MUSIC = "./sample/speech.mp4", "./sample/music.mp4"
SAMPLES = ("file_with_video_paths=./sample/sample_video_paths.txt", "checkpoint=random", "device=cpu")

ROUNDING = 2 * rounding.VGGISH * 20  # of two runs, whose batches may differ; random weights give values up to 20

# Runs several command lines in one fresh process, and says of each whether torch has been imported by then.
BATTERY = """
import contextlib, io, json, sys
import main
for arguments in json.load(sys.stdin):
    sys.argv = ["main.py", *arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main.main()
    print(json.dumps([code, out.getvalue(), err.getvalue(), "torch" in sys.modules]))
"""


@dataclass(frozen=True)
class Result:
    code: int
    stdout: str
    stderr: str
    torch: bool | None = None  # imported in the process; None = not looked for


def start(
    *arguments: object, environment: dict[str, str] | None = None, prepare: Callable[[], object] | None = None
) -> subprocess.Popen[str]:
    """The command, running in a process group of its own; `prepare` is called in its process before it begins."""
    return subprocess.Popen(
        [sys.executable, "main.py", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare,
    )


def run(*arguments: object, environment: dict[str, str] | None = None, seconds: float = 200) -> Result:
    """The command, run to its end."""
    with start(*arguments, environment=environment) as process:
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            raise
        return Result(process.returncode, stdout, stderr)


def run_each(command_lines: Sequence[Sequence[str]]) -> list[Result]:
    """Several commands that end before any work, in one process that begins without torch."""
    ran = subprocess.run(
        [sys.executable, "-c", BATTERY], cwd=ROOT, input=json.dumps(command_lines), capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return [Result(*json.loads(line)) for line in ran.stdout.splitlines()]


def group_members(group: int, states: str = "RSDTtI") -> list[int]:
    """Ids of the processes in a process group that are in one of these states (Linux); by default, the live ones."""
    members = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group, *_ = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(process_group) == group and state in states:
            members.append(int(status.parent.name))
    return members


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Does the condition come true in time?"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())
