"""The documentation as a reader uses it: its commands, its code, and the files that it asks to create."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import ROOT

from torch_zoo.models.vggish.weights import WEIGHTS
from torch_zoo.utils import checkpoints, extraction

BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"`(my_[\w/.]+)`[^`]*?:\n\n```(?:\w+)\n(.*?)```", re.DOTALL)
SECONDS = 280  # of a command


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language and content of each block of commands or code, in order; files that are created are none."""
    created = [content for _, content in FILE.findall(text)]
    for language, content in BLOCK.findall(text):
        if content not in created:
            yield language, content


def commands(content: str) -> list[str]:
    """Of a block in bash, a line each; with the comment behind it."""
    return content.replace("\\\n", " ").splitlines()


def without_comment(command: str) -> str:
    return command.partition("  #")[0].strip()


def prepare(folder: Path, text: str) -> Path:
    """Make the folder a checkout as a user sees it, with the files that the pages ask to create."""
    for name in ("main.py", "torch_zoo", "utils", "Makefile", "requirements.lock", "tests"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "sample", folder / "sample")
    for name, content in FILE.findall(text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def execute(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """With random weights where the pretrained ones are not there."""
    cached = WEIGHTS.cached.exists() and "feature_type=i3d" not in command and "vggsound" not in command
    if "main.py" in command and "checkpoint=" not in command and "-sc" not in command and not cached:
        command += " --checkpoint random" if "--feature_type" in command else " checkpoint=random"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
    )


def use_random_weights_if_there_are_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the Python of a page, which runs in the process of the test."""
    if not WEIGHTS.cached.exists():
        resolve = checkpoints.resolve
        monkeypatch.setattr(checkpoints, "resolve", lambda _, *others: resolve("random", *others))
        monkeypatch.setattr(extraction, "_loaded", OrderedDict())  # they are not what they are called
