"""The product with outputs that hold many sources: the same features, of two workers, and after a kill."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
from command import MUSIC, ROUNDING, SAMPLES, group_members, run, start, wait_until
from shard_reader import arrays, shards

from torch_zoo.utils.tfrecords.__main__ import main as tfrecords


def test_two_workers_fill_one_hdf5_file(direct: dict[str, np.ndarray], tmp_path: Path) -> None:
    call = ("feature_type=vggish", *SAMPLES, "on_extraction=save_hdf5", "device_ids=[0,1]", f"output_path={tmp_path}")
    first = run(*call)
    assert (first.code, first.stdout) == (0, ""), first.stderr
    file = tmp_path / "vggish" / "features.h5"
    assert f"features are in {file}" in first.stderr
    with h5py.File(file) as opened:
        assert set(opened) == set(direct)
        for name, embedding in direct.items():
            np.testing.assert_allclose(opened[name]["vggish"], embedding, rtol=0, atol=ROUNDING)
    assert "2 skipped" in run(*call).stderr


def test_shards_of_a_run_that_was_killed_are_completed(bucket: str, tmp_path: Path) -> None:
    """By SIGKILL of all of its processes at once: what had been stored is neither lost nor there twice."""
    table = tmp_path / "list.csv"
    table.write_text("path,start,end\n" + "".join(f"{MUSIC},{k / 10},{k / 10 + 3}\n" for k in range(20)))
    call = ("feature_type=vggish", "checkpoint=random", "device=cpu", "batch_size=3", f"file_with_video_paths={table}")
    output = ("on_extraction=save_webdataset", "shard_bytes=3000", f"output_path={bucket}")
    folder = f"{bucket}/vggish"
    with start(*call, *output) as process:
        stored = wait_until(lambda: shards(folder), 120)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert stored
    assert wait_until(lambda: not group_members(process.pid), 20)
    before = arrays(folder)
    result = run(*call, *output)
    assert result.code == 0, result.stderr
    assert f"{len(before)} skipped" in result.stderr
    after = arrays(folder)
    assert len(after) == 20
    assert all(array.shape == (3, 128) for array in after.values())
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


def test_records_of_a_run_that_was_killed_are_completed_and_become_the_table_that_is_saved(
    golden: Path, tmp_path: Path
) -> None:
    """The same rows, to the bit, by on_extraction=save_table and, after a kill, by records that are converted."""
    table = tmp_path / "list.csv"
    rows = "".join(f'{MUSIC},{k / 8},{k / 8 + 3},clip{k},video{k % 3},"{k},7"\n' for k in range(12))
    table.write_text(f"path,start,end,name,video_id,labels\n{rows}")
    call = ("feature_type=vggish", "preset=audioset", "checkpoint=random", "device=cpu", "batch_size=3")
    call = (*call, f"pca_params={golden / 'vggish_pca_params.npz'}", f"file_with_video_paths={table}")
    output = (*call, "on_extraction=save_tfrecord_shards", "shard_bytes=2000", f"output_path={tmp_path / 'records'}")
    folder = tmp_path / "records" / "vggish"
    with start(*output) as process:
        begun = wait_until(lambda: any(path.stat().st_size > 3000 for path in folder.glob("records.*.journal")), 120)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert begun
    assert wait_until(lambda: not group_members(process.pid), 20)
    result = run(*output)
    assert result.code == 0, result.stderr
    assert ", 0 skipped" not in result.stderr
    assert not list(folder.glob("*.journal"))
    assert run(*call, "on_extraction=save_table", f"output_path={tmp_path / 'table'}").code == 0
    assert tfrecords(["to-parquet", str(folder), str(tmp_path / "converted.parquet"), "--hop-seconds", "0.96"]) == 0
    columns = ["name", "start", "end", "labels", "embedding"]
    ours, theirs = (
        pq.read_table(path, columns=columns).sort_by([("name", "ascending"), ("start", "ascending")])
        for path in (tmp_path / "converted.parquet", tmp_path / "table" / "vggish" / "embeddings.parquet")
    )
    assert ours.num_rows == 36
    assert ours.equals(theirs)
