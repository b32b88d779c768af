"""The product with output_path=s3://...: the same features, resumed from what the bucket holds, also after a kill."""

from __future__ import annotations

import csv
import io
import os
import signal

import numpy as np
import yaml
from command import MUSIC, ROUNDING, SAMPLES, SPEECH, group_members, run, start, wait_until
from runs import get

from torch_zoo.utils import storage


def stored(bucket: str) -> dict[str, np.ndarray]:
    """The arrays in the bucket, by file name."""
    names = [name for name in storage.listing(f"{bucket}/vggish") if name.endswith(".npy")]
    return {name: np.load(io.BytesIO(get(f"{bucket}/vggish/{name}"))) for name in names}


def test_features_settings_records_and_failures_are_in_the_bucket(bucket: str, direct: dict[str, np.ndarray]) -> None:
    command = ("feature_type=vggish", "on_extraction=save_numpy", f"output_path={bucket}", *SAMPLES)
    first = run(*command, f"video_paths=[{SPEECH},{__file__}]", "name_pattern={key}/{name}")
    assert (first.code, "2 done, 0 skipped, 0 empty, 1 failed" in first.stderr) == (1, True), first.stderr
    assert f"features are in {bucket}/vggish" in first.stderr
    arrays = stored(bucket)
    assert set(arrays) == {"vggish/speech.npy", "vggish/music.npy"}
    for name, embedding in direct.items():
        np.testing.assert_allclose(arrays[f"vggish/{name}.npy"], embedding, rtol=0, atol=ROUNDING)
    settings = yaml.safe_load(get(f"{bucket}/vggish/extraction.yaml"))
    assert settings["timing"] == {"num_frames": 96, "feat_stride": 96, "fps": 100.0}
    assert settings["name_pattern"] == "{key}/{name}"
    [failure] = csv.DictReader(io.StringIO(get(f"{bucket}/vggish/failures.csv").decode()))
    assert failure["path"] == __file__

    again = run(*command, "name_pattern={key}/{name}")
    assert (again.code, "0 done, 2 skipped" in again.stderr) == (0, True), again.stderr
    refused = run(*command)
    assert (refused.code, len(refused.stderr.splitlines())) == (2, 1)
    assert f"{bucket}/vggish holds features made with name_pattern={{key}}/{{name}}" in refused.stderr


def test_a_run_that_was_killed_is_completed(bucket: str, tmp_path: os.PathLike[str]) -> None:
    """By SIGKILL of all of its processes at once; what was written meanwhile is whole."""
    table = os.path.join(tmp_path, "list.csv")
    with open(table, "w") as file:
        file.write("path,start,end\n" + "".join(f"{MUSIC},{k / 10},{k / 10 + 3}\n" for k in range(20)))
    command = (
        "feature_type=vggish",
        "on_extraction=save_numpy",
        "checkpoint=random",
        "device=cpu",
        "batch_size=3",
        f"file_with_video_paths={table}",
        f"output_path={bucket}",
    )
    with start(*command) as process:
        written = wait_until(lambda: stored(bucket), 120)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert written
    assert wait_until(lambda: not group_members(process.pid), 20)
    assert all(array.shape == (3, 128) for array in stored(bucket).values())
    result = run(*command)
    assert result.code == 0, result.stderr
    assert len(stored(bucket)) == 20
