"""`extract` in programs of their own: no `__main__` guard, several processes, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, group_members, wait_until

# Imported again by each process that `spawn` starts, as by a script without a guard.
UNGUARDED = """
import multiprocessing
from torch_zoo import extract

def rows(path):
    return len(extract(path, feature_type="doubler", config_dir={configs!r}, device="cpu")["doubled"])

print("rows:", rows("good a"), flush=True)
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print("spawned:", pool.map(rows, ["good b"]))
"""

HANGING = """
from torch_zoo import extract

for item in extract(["good a", "good b", "hang c"], feature_type="doubler", config_dir={configs!r}, device="cpu"):
    print(item.source.path, flush=True)
"""


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("configs")
    (folder / "feature_type").mkdir()
    (folder / "feature_type/doubler.yaml").write_text(
        "# @package _global_\nfeature_type:\n  _target_: actors.Doubler\n\nmarkers: .\nloading: well\n"
    )
    return str(folder)


def start(script: Path, text: str) -> subprocess.Popen[str]:
    script.write_text(text)
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests/engines")))
    return subprocess.Popen(
        [sys.executable, str(script)],
        cwd=script.parent,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_script_needs_no_guard(configs: str, tmp_path: Path) -> None:
    with start(tmp_path / "script.py", UNGUARDED.format(configs=configs)) as process:
        out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "")
    assert out == "rows: 3\nrows: 3\nspawned: [3]\n"


def test_ctrl_c_ends_the_script_and_all_its_processes(configs: str, tmp_path: Path) -> None:
    with start(tmp_path / "script.py", HANGING.format(configs=configs)) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == "good a\n"
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert err.count("Traceback") == 1 and err.rstrip().endswith("KeyboardInterrupt")
    assert wait_until(lambda: not group_members(process.pid), 5)
