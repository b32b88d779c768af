"""Colors where a terminal shows them, and nowhere else."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest
from command import ROOT

from torch_zoo.utils.terminal.colors import styled


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


RED = "\x1b[1;31merror:\x1b[0m"


@pytest.mark.parametrize(
    ("stream", "environment", "shown"),
    [
        (Terminal(), {}, RED),
        (Terminal(), {"NO_COLOR": "1"}, "error:"),
        (Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, "error:"),
        (Terminal(), {"NO_COLOR": ""}, RED),
        (Terminal(), {"TERM": "dumb"}, "error:"),
        (io.StringIO(), {}, "error:"),
        (io.StringIO(), {"FORCE_COLOR": "1"}, RED),
        (io.StringIO(), {"FORCE_COLOR": ""}, "error:"),
    ],
)
def test_who_gets_colors(
    stream: io.StringIO, environment: dict[str, str], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert styled("error:", "bold", "red", stream=stream) == shown


def test_nothing_is_not_styled() -> None:
    assert styled("", "bold", stream=Terminal()) == ""


def test_a_mistake_is_red_on_a_terminal() -> None:
    master, slave = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    result = subprocess.run(
        [sys.executable, "main.py", "feature_type=vgish"],
        cwd=ROOT,
        env=environment | {"TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    said = os.read(master, 4096).decode()
    os.close(master)
    assert result.returncode == 2
    assert said.startswith(f"{RED} feature_type=vgish: ")
