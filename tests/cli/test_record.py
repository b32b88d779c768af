"""The record of a real run agrees with the features beside it; a run that is killed leaves what it had."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from command import ROOT, SAMPLES, SPEECH, run, start, wait_until

from torch_zoo.utils.runs.history import runs


def test_the_record_agrees_with_the_features(saved: Path) -> None:
    [found] = runs(str(saved))
    rows = np.concatenate([np.load(path) for path in saved.glob("*.npy")]).astype(np.float64)
    features = found["features"]["arrays"]["vggish"]
    assert (found["status"], found["sources"]["done"], found["failures"]) == ("completed", 2, [])
    assert (features["sources"], features["rows"]) == (2, len(rows))
    assert features["mean"] == pytest.approx(rows.mean(), rel=1e-9)
    assert features["std"] == pytest.approx(rows.std(), rel=1e-9)
    assert features["zeros"] == pytest.approx((rows == 0).mean(), rel=1e-12)
    assert found["media_seconds"] == pytest.approx(0.96 * len(rows))
    assert found["options"]["given"] | {"output_path": ""} == {
        "file_with_video_paths": "./sample/sample_video_paths.txt",
        "checkpoint": "random",
        "device": "cpu",
        "device_ids": [0, 1],
        "batch_size": 7,
        "output_path": "",
    }
    assert found["options"]["resolved"]["hop_seconds"] == 0.96


def test_workers_are_told_apart_and_their_devices_measured(saved: Path) -> None:
    [found] = runs(str(saved))
    assert set(found["workers"]) <= {"cpu #0", "cpu #1"}  # one may be ready only when the other has done all
    workers = found["workers"].values()
    assert all(worker["busy_seconds"] <= worker["seconds"] <= found["seconds"] for worker in workers)
    assert any(worker["busy_seconds"] for worker in workers)  # one of them may have taken both sources


def test_the_log_has_what_was_shown(saved: Path) -> None:
    [log] = saved.glob("runs/*/run.log")
    lines = [line.partition("Z ")[2] for line in log.read_text().splitlines()]
    assert any(line.startswith("2 done, 0 skipped, 0 empty, 0 failed; ") for line in lines)
    assert f"features are in {saved}" in lines
    assert lines[-1] == "completed"


def test_a_report_is_written_on_request(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    options = ("on_extraction=save_table", "report=always", f"output_path={tmp_path}")
    result = run("feature_type=vggish", f"video_paths=[{SPEECH},{tmp_path}/none.mp4]", *SAMPLES[1:], *options)
    report = tmp_path / "vggish/runs/report.html"
    assert (result.code, result.stderr.splitlines()[-1]) == (1, f"the report is {report}")
    assert "no such file" in report.read_text()


def test_a_run_that_is_killed_leaves_what_it_had(tmp_path: Path) -> None:
    process = start("feature_type=vggish", *SAMPLES, "on_extraction=save_numpy", f"output_path={tmp_path}")
    with process:
        try:
            assert wait_until(lambda: list(tmp_path.rglob("run.json")), 120)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    [record] = tmp_path.rglob("run.json")
    found = json.loads(record.read_text())
    assert found["status"] == "running"
    assert found["options"]["given"]["output_path"] == str(tmp_path)
    assert (record.parent / "run.log").exists()


def test_nothing_is_left_where_features_are_printed() -> None:
    before = set(os.listdir(ROOT))
    assert run("feature_type=vggish", f"video_paths={SPEECH}", *SAMPLES[1:], "report=always").code == 0
    assert set(os.listdir(ROOT)) == before
