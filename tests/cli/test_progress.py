"""What a run shows while it goes on: on a terminal, in a log, or nowhere."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command import ROOT, wait_until

from torch_zoo.utils.engines.news import Computed, Devices, Loading, Position, Reached
from torch_zoo.utils.terminal.about import About
from torch_zoo.utils.terminal.displays import Log, Ticker
from torch_zoo.utils.terminal.progress import Progress, Reporting
from torch_zoo.utils.terminal.status import Status
from torch_zoo.utils.types import Outcome, Source

ABOUT = About(feature_type="vggish", settings=["weights random", "hop_seconds=0.48"])
SLOW = """
import time
from dataclasses import dataclass
from loudness import Loudness
from torch_zoo.utils.types import Stage

@dataclass(frozen=True, kw_only=True)
class Slow(Loudness):
    def load(self, device, threads):
        time.sleep(2.5)
        [stage] = super().load(device, threads)

        def forward(batch):
            time.sleep(0.4)
            return stage.forward(batch)

        return [Stage(forward, batch_size=4)]
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sources(*names: str) -> list[Source]:
    return [Source(f"clips/{name}.mp4", name) for name in names]


def on_a_terminal(command: list[str], columns: int, folder: Path) -> list[str]:
    """All that a command writes on a terminal, one text for each time that a line is begun."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = os.environ | {"PYTHONPATH": str(folder), "TERM": "dumb"}
    with subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        written = bytearray()
        while piece := _read(ours):
            written += piece
    os.close(ours)
    assert process.returncode == 0, written.decode()
    return re.split(r"[\r\n]+", written.decode())


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux, when the other end is closed
        return b""


def test_a_single_source_on_a_terminal(outside: Path) -> None:
    (outside / "slow.py").write_text(SLOW)
    (outside / "configs/feature_type/slow.yaml").write_text(
        "# @package _global_\n# Slow.\nfeature_type:\n  _target_: slow.Slow\nwindow_seconds: 1.0 # s\n"
    )
    soundfile.write(outside / "long.wav", np.full(40 * 16_000, 0.5), 16_000)
    command = [sys.executable, "main.py", "--config-dir", str(outside / "configs"), "feature_type=slow"]
    command += ["window_seconds=1", "device=cpu", "num_decoders=1", f"video_paths={outside / 'long.wav'}"]
    lines = on_a_terminal(command, 120, outside)

    assert (
        len([line for line in lines if re.fullmatch(r"slow on cpu \(\d+ cores?\), window_seconds=1: 1 source", line)])
        == 1
    )
    bars = [
        match for line in lines if (match := re.fullmatch(r" *(\d+)%\|.*\| (.*) \[(\d\d:\d\d)<([\d:?]+)(.*)\]", line))
    ]
    loading = [each[3] for each in bars if each[5] == ", loading Slow"]
    assert len(set(loading)) >= 2  # seconds, though nothing comes
    assert {each[4] for each in bars if "loading" in each[0]} == {"?"}
    within = [each for each in bars if each[2] == "0/1 sources" and 0 < int(each[1]) < 100]
    assert len({each[1] for each in within}) >= 2
    assert any(each[4] != "?" for each in within)
    assert all(re.fullmatch(r", [\d.]+ s of media/s", each[5]) for each in within)
    assert (bars[-1][1], bars[-1][2], bars[-1][4]) == ("100", "1/1 sources", "00:00")
    assert all(len(line) < 120 for line in lines if "%|" in line)


class Run:
    """Progress on a terminal and a clock of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.screen, self.clock = Terminal(), Clock()
        monkeypatch.setattr(sys, "stderr", self.screen)
        self.progress = Progress(Reporting(folder=str(folder)), ABOUT, clock=self.clock)

    def leave(self) -> str:
        """The bar as it is at the end."""
        self.progress.__exit__(None, None, None)
        bars = [line for line in re.split(r"[\r\n]", self.screen.getvalue()) if "%|" in line]
        return bars[-1].split("| ")[-1]


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ([], "0/2 sources [00:09<?, starting]"),
        ([("", Devices(["cpu"], 2)), ("cpu", Loading("VGGish"))], "0/2 sources [00:09<?, loading VGGish]"),
        ([("cpu #0", Position("decoding", {})), ("cpu #1", Loading("VGGish"))], "0/2 sources [00:09<?, decoding]"),
        ([("cpu", Position("computing", {"a": Reached(0.0, 9.0)}))], "0/2 sources [00:09<?, computing]"),
    ],
    ids=["starting", "loading", "one of two has loaded", "computing"],
)
def test_phases_until_features_come(
    news: list[tuple[str, object]], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path, monkeypatch)
    progress, clock = run.progress, run.clock
    progress.begin(sources("a", "b"))
    for worker, each in news:
        progress.tell(worker, each)
    clock.now = 9.0
    assert run.leave() == expected


def test_before_it_is_known_what_is_to_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, monkeypatch)
    with run.progress as progress:
        assert wait_until(lambda: "checking outputs [00:00<?]" in run.screen.getvalue(), 60)
        progress.begin([])
    assert "1 source" not in run.screen.getvalue()


def test_seconds_of_media_move_it_and_skipped_sources_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, monkeypatch)
    progress, clock = run.progress, run.clock
    for source in sources("x", "y", "z"):
        progress.add(Outcome(source, "skipped"))
    clock.now = 100.0
    progress.begin(sources("a", "b"))
    progress.tell("", Devices(["cuda:0"], 8))
    clock.now = 160.0
    progress.tell("cuda:0", Position("decoding", {}))
    clock.now = 170.0
    progress.tell("cuda:0", Position("computing", {"a": Reached(50.0, 100.0)}))
    assert run.leave() == "0/2 sources [02:50<00:30, 5.00 s of media/s]"
    assert "vggish on cuda:0, weights random, hop_seconds=0.48: 5 sources, 3 done before\n" in run.screen.getvalue()


def test_features_that_wait_to_be_stored_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, monkeypatch)
    progress, clock = run.progress, run.clock
    progress.begin(sources("a", "b"))
    progress.tell("cpu", Position("decoding", {"b": Reached(0.0, 10.0)}))
    clock.now = 10.0
    progress.tell("cpu", Computed(sources("a")[0], 10.0))
    assert run.leave() == "0/2 sources [00:10<00:10, 1.00 s of media/s]"


def status(seconds: float, ended: int, left: float | None = None) -> Status:
    return Status("", ended, 40, 1, ended / 40, 21.53, seconds, left)


def test_a_log_has_a_line_each_ten_seconds_and_a_sign_of_life_each_minute() -> None:
    said: list[str] = []
    log = Log(said.append)
    for second in range(200):
        log.show(status(second, min(second, 25), None if second < 15 else 100.0))
    assert said == [
        "00:10 10/40 sources, 21.5 s of media/s, 1 failed",
        "00:20 20/40 sources, 21.5 s of media/s, 1 failed, 01:40 left",
        "00:30 25/40 sources, 21.5 s of media/s, 1 failed, 01:40 left",
        "01:30 25/40 sources, 21.5 s of media/s, 1 failed, 01:40 left",
        "02:30 25/40 sources, 21.5 s of media/s, 1 failed, 01:40 left",
    ]


def test_it_ticks_until_it_is_stopped() -> None:
    ticks: list[float] = []
    ticker = Ticker(lambda: ticks.append(time.monotonic()))
    ticker.start()
    assert wait_until(lambda: len(ticks) > 2, 60)
    ticker.stop()
    number = len(ticks)
    assert not wait_until(lambda: len(ticks) > number, 1.2)
