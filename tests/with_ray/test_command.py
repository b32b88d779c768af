"""The command on a cluster: the same bits as on one machine, also after it was stopped or killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import MUSIC, ROOT, SPEECH, run, start, wait_until
from nodes import workers

pytest.importorskip("ray", reason="make test-ray runs this")
pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]  # many processes are started

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

CLIPS = 16


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """One window per batch, so that neighbors in a batch make no difference."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(CLIPS):
        shutil.copy(ROOT / (SPEECH, MUSIC)[number % 2], folder / f"{number}.mp4")
    fixed = "checkpoint=random device=cpu num_decoders=1 batch_size=1 hop_seconds=4.8"
    return [*fixed.split(), f"video_paths={folder}"]


def saved(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "vggish").glob("*.npy")}


@pytest.fixture(scope="module")
def local(options: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The features by engine=local, with one core per worker as on the cluster."""
    folder = tmp_path_factory.mktemp("local")
    command = "feature_type=vggish on_extraction=save_numpy device_ids=[0,1]".split()
    result = run(*command, *options, f"output_path={folder}")
    assert result.code == 0, result.stderr
    return saved(folder)


def stop(command: list[str], folder: Path, how: signal.Signals) -> tuple[int, str, str]:
    """Run the command until it has saved something more; its exit code and what it printed."""
    before = len(saved(folder))
    with start(*command) as driver:
        assert wait_until(lambda: len(saved(folder)) > before or driver.poll() is not None, 90)
        os.kill(driver.pid, how)
        stdout, stderr = driver.communicate(timeout=60)
    return driver.returncode, stdout, stderr


def test_a_run_that_is_killed_and_stopped_goes_on_where_it_was(
    options: list[str], local: dict[str, bytes], cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of the guide, for one worker on the cluster that RAY_ADDRESS names."""
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    [line] = re.findall(
        r"^python main\.py (.* engine=ray .*)$", (ROOT / "docs/guides/several_machines.md").read_text(), re.MULTILINE
    )
    listed = [word for word in line.split() if not word.startswith("video_paths=")]
    command = [*listed, *options, "num_workers=1", f"output_path={tmp_path}"]
    stop(command, tmp_path, signal.SIGKILL)
    assert wait_until(lambda: not workers(cluster), 30)

    code, stdout, stderr = stop(command, tmp_path, signal.SIGTERM)
    assert (code, stdout) == (130, ""), stderr
    assert "the same command continues" in stderr
    assert "Traceback" not in stderr
    assert wait_until(lambda: not workers(cluster), 30)
    assert list((tmp_path / "vggish").glob(".*.part")) == []

    there = len(saved(tmp_path))
    result = run(*command)
    assert (result.code, result.stdout) == (0, ""), result.stderr
    assert f"{CLIPS - there} done, {there} skipped" in result.stderr
    assert saved(tmp_path) == local
