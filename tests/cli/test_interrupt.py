"""Runs that are stopped from outside leave whole files, and no process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from command import MUSIC, ROOT, group_members, run, start, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
CLIPS = 16


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """A run long enough to be stopped in the middle."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(CLIPS):
        shutil.copy(ROOT / MUSIC, clips / f"{number}.mp4")
    options = "feature_type=vggish checkpoint=random device=cpu num_decoders=1 on_extraction=save_numpy".split()
    return [*options, f"video_paths={clips}", f"output_path={tmp_path}"]


@contextmanager
def under_way(options: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, when it has saved its first features."""
    with start(*options) as process:
        try:
            assert wait_until(lambda: list(folder.glob("*.npy")) or process.poll() is not None, 60)
            assert process.poll() is None
            yield process
        finally:
            for member in group_members(process.pid):
                os.kill(member, signal.SIGKILL)


def check_files_are_whole(folder: Path) -> int:
    assert list(folder.glob(".*")) == []
    arrays = [np.load(path) for path in folder.glob("*.npy")]
    assert all(array.shape == arrays[0].shape for array in arrays)
    return len(arrays)


def test_ctrl_c_stops_at_once_and_the_same_command_goes_on(options: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "vggish"
    with under_way(options, folder) as process:
        stopped = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
        stdout, stderr = process.communicate(timeout=60)
        assert time.monotonic() - stopped < 30  # also on a busy machine
        assert (process.returncode, stdout) == (130, "")
        assert "interrupted" in stderr
        assert "the same command continues" in stderr
        assert "Traceback" not in stderr
        assert wait_until(lambda: not group_members(process.pid), 30)
    saved = check_files_are_whole(folder)
    assert 0 < saved < CLIPS

    result = run(*options)
    assert result.code == 0
    assert f"{CLIPS - saved} done, {saved} skipped" in result.stderr
    assert check_files_are_whole(folder) == CLIPS


def test_workers_go_when_their_parent_is_killed(options: list[str], tmp_path: Path) -> None:
    with under_way(options, tmp_path / "vggish") as process:
        process.kill()
        assert wait_until(lambda: not group_members(process.pid), 30)
