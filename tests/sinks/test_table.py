"""A table of features is complete whatever happens to its workers, and other tools read it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import time
from pathlib import Path

import command
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from table_maker import FLOATS, SETTINGS, features, journals, prepared, rows_by_name, source, written

from torch_zoo.utils.predictions import report
from torch_zoo.utils.sinks.containers import tables
from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.types import Features, UsageError, WorkerError


def in_worker(sink: SaveTable, names: list[str], value: float, held: multiprocessing.synchronize.Event | None) -> None:
    for name in names:
        sink.write(features(name, value=value))
    if held:
        held.set()
        time.sleep(60)
    os._exit(0)


def start_worker(sink: SaveTable, names: list[str], value: float = 0.0, stay: bool = False) -> multiprocessing.Process:
    context = multiprocessing.get_context("fork")
    held = context.Event() if stay else None
    process = context.Process(target=in_worker, args=(sink, names, value, held), daemon=True)
    process.start()
    if held:
        assert held.wait(20)
    else:
        process.join()
    return process


def test_readable_by_arrow_pandas_polars_and_duckdb(tmp_path: Path) -> None:
    expected = np.concatenate([features("a").arrays["vggish"], features("b", 1, 9).arrays["vggish"]])
    sink = written(tmp_path, features("a"), features("b", 1, 9))
    path = sink.destination
    table = pq.read_table(path)
    assert [str(field.type) for field in table.schema] == [
        *("string", "string", "double", "double"),
        "fixed_size_list<item: float>[4]",
    ]
    frame = pd.read_parquet(path)
    assert list(frame["name"]) == ["a", "a", "b"]
    assert list(frame["path"]) == ["music/a.mp3", "music/a.mp3", "music/b.mp3"]
    np.testing.assert_allclose(frame[["start", "end"]], [[0, 0.96], [0.96, 1.92], [0, 0.96]])
    stacked = np.stack(frame["embedding"])
    assert stacked.dtype == np.float32
    np.testing.assert_array_equal(stacked, expected)
    np.testing.assert_array_equal(pl.read_parquet(path)["embedding"].to_numpy(), expected)
    found = duckdb.sql(f"SELECT name, embedding::FLOAT[4] AS e FROM '{path}'").fetchnumpy()
    np.testing.assert_array_equal(np.stack(list(found["e"])), expected)


def test_a_column_per_key_where_there_are_several_and_scalars_in_each_row(tmp_path: Path) -> None:
    rgb, flow, maps = np.eye(3, 5, dtype=np.float32), np.ones((3, 2), np.uint8), np.arange(12.0).reshape(3, 2, 2)
    arrays = {"rgb": rgb, "flow": flow, "maps": maps, "fps": np.array(25.0), "stamps": np.arange(3)}
    prepared(tmp_path)
    sink = written(tmp_path, Features(source("a"), arrays, np.zeros((3, 2))))
    frame = pd.read_parquet(sink.destination)
    assert list(frame) == ["name", "path", "start", "end", "rgb", "flow", "maps", "fps", "stamps"]
    np.testing.assert_array_equal(np.stack(frame["rgb"]), rgb)
    assert np.stack(frame["flow"]).dtype == np.uint8
    np.testing.assert_array_equal([np.stack(each) for each in frame["maps"]], maps)
    assert (list(frame["fps"]), list(frame["stamps"])) == ([25.0] * 3, [0, 1, 2])
    sink.prepare(SETTINGS, [source("a")], {key: array.dtype for key, array in arrays.items()}, overwrite=False)
    assert sink.has(source("a"), {key: array.dtype for key, array in arrays.items()})
    with pytest.raises(UsageError, match=r"holds rgb: .*, not depth: float32"):
        sink.prepare(SETTINGS, [], dict.fromkeys(("rgb", "depth"), np.dtype(np.float32)), overwrite=False)


def test_workers_write_side_by_side_and_later_runs_add(tmp_path: Path) -> None:
    sink = SaveTable(folder=str(tmp_path))
    for names in (["a", "b"], ["c"]):
        start_worker(sink, names)
    assert not Path(sink.destination).exists()
    sink.finish()
    start_worker(sink, ["d"])
    sink.finish()
    assert sorted(rows_by_name(tmp_path)) == ["a", "b", "c", "d"]
    assert not journals(tmp_path)
    assert [sink.has(source(name), FLOATS) for name in "ade"] == [True, True, False]


def test_write_returns_the_report_and_pickles_take_no_state_along(tmp_path: Path) -> None:
    sink = SaveTable(folder=str(tmp_path))
    assert sink.write(features("a")) == report(features("a")) != ""
    sink.finish()
    assert sink.has(source("a"), FLOATS)
    copy = pickle.loads(pickle.dumps(sink))
    assert copy == sink
    assert vars(copy) == {
        "folder": str(tmp_path),
        "adopt": False,
        "dry_run": False,
        "run": sink.run,
        "rows_per_file": None,
        "listed": (),
    }


def test_complete_sources_of_a_journal_cut_anywhere_are_kept(tmp_path: Path) -> None:
    sink = prepared(tmp_path / "written")
    ends = []
    for name in "abc":
        sink.write(features(name))
        ends.append(journals(tmp_path / "written")[0].stat().st_size)
    content = journals(tmp_path / "written")[0].read_bytes()
    sink.finish()
    for cut in [*range(0, ends[0], 97), *range(ends[0] - 9, len(content), 61), len(content)]:
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "embeddings.parquet.1.x.journal").write_bytes(content[:cut])
        SaveTable(folder=str(folder)).finish()
        there = sorted(rows_by_name(folder)) if (folder / "embeddings.parquet").exists() else []
        surely = sum(cut >= end for end in ends)
        assert there in (["a", "b", "c"][:surely], ["a", "b", "c"][: surely + (cut >= ends[0] - 9)]), cut
        assert not journals(folder)


def test_killed_worker_loses_nothing_and_its_retried_source_is_there_once(tmp_path: Path) -> None:
    sink = SaveTable(folder=str(tmp_path))
    process = start_worker(sink, ["a", "b"], stay=True)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    start_worker(sink, ["b", "c"], value=7)
    sink.finish()
    found = rows_by_name(tmp_path)
    assert {name: len(rows) for name, rows in found.items()} == {"a": 2, "b": 2, "c": 2}
    np.testing.assert_array_equal(found["b"], features("b", value=7).arrays["vggish"])


def test_the_next_run_merges_what_a_crashed_one_left(tmp_path: Path) -> None:
    sink = prepared(tmp_path)
    start_worker(sink, ["a"])
    (tmp_path / ".embeddings.parquet.4711.part").write_text("half")  # its merge was killed too
    sink.prepare(SETTINGS, [source("a"), source("b")], FLOATS, overwrite=False)()
    assert sink.has(source("a"), FLOATS)
    assert not sink.has(source("b"), FLOATS)
    assert not journals(tmp_path)
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))


def test_journal_of_a_running_worker_is_left_alone(tmp_path: Path) -> None:
    sink = SaveTable(folder=str(tmp_path))
    sink.prepare(SETTINGS, [], FLOATS, overwrite=False)()
    process = start_worker(sink, ["a"], stay=True)
    try:
        other = SaveTable(folder=str(tmp_path))
        other.prepare(SETTINGS, [source("b")], FLOATS, overwrite=False)()
        other.write(features("b"))
        other.finish()
        assert sorted(rows_by_name(tmp_path)) == ["b"]
        assert len(journals(tmp_path)) == 1
        with pytest.raises(UsageError, match="holds features made with"):  # which it is going to add
            other.prepare({**SETTINGS, "hop_seconds": 0.48}, [source("b")], FLOATS, overwrite=True)()
    finally:
        process.kill()
        process.join()
    sink.finish()
    assert sorted(rows_by_name(tmp_path)) == ["a", "b"]


def test_source_written_again_replaces_its_rows(tmp_path: Path) -> None:
    written(tmp_path, features("a"), features("b", 3), features("c"))
    written(tmp_path, features("b", 1, 5), features("b", 2, 6))
    found = rows_by_name(tmp_path)
    assert {name: len(rows) for name, rows in found.items()} == {"a": 2, "b": 2, "c": 2}
    np.testing.assert_array_equal(found["b"], features("b", 2, 6).arrays["vggish"])


def test_source_without_windows_has_no_row_and_is_tried_again(tmp_path: Path) -> None:
    sink = written(tmp_path, features("none", 0))
    assert not Path(sink.destination).exists()
    sink = written(tmp_path, features("none", 0), features("a"), features("b"))
    assert sorted(rows_by_name(tmp_path)) == ["a", "b"]
    assert not sink.has(source("none"), FLOATS)
    written(tmp_path, features("a", 0))  # it had rows before
    assert sorted(rows_by_name(tmp_path)) == ["b"]


def test_merging_goes_by_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP_BYTES", 1000)
    names = [f"{index:03}" for index in range(60)]
    for part in (names[:5], names[5:10], names[10:]):
        sink = written(tmp_path, *(features(name) for name in part))
    file = pq.ParquetFile(sink.destination)
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    assert 3 < len(sizes) < 30
    assert sum(sizes) == 120
    assert sorted(rows_by_name(tmp_path)) == names


def test_command_line_makes_a_table_and_skips_what_it_holds(tmp_path: Path) -> None:
    call = (*command.SAMPLES, "feature_type=vggish", "on_extraction=save_table", f"output_path={tmp_path}")
    first = command.run(*call)
    assert first.code == 0, first.stderr
    path = tmp_path / "vggish" / "embeddings.parquet"
    assert f"features are in {path}" in first.stderr
    assert sorted(file.name for file in path.parent.glob("[!.]*")) == [
        "embeddings.parquet",
        "extraction.yaml",
        "runs",
        "sources.jsonl",
    ]
    by_name = rows_by_name(path.parent)
    again = command.run(*call)
    assert "2 skipped" in again.stderr
    arrays = command.run(*call[:-2], "on_extraction=save_numpy", f"output_path={tmp_path / 'numpy'}")
    assert arrays.code == 0
    assert sorted(by_name) == ["music", "speech"]
    for name, rows in by_name.items():
        expected = np.load(tmp_path / "numpy" / "vggish" / f"{name}_vggish.npy")
        np.testing.assert_allclose(rows, expected, atol=command.ROUNDING)


def test_rows_of_a_table_that_was_deleted_during_the_run_are_missed(tmp_path: Path) -> None:
    sink = SaveTable(folder=str(tmp_path / "new"))
    sink.prepare(SETTINGS, [source("a")], FLOATS, overwrite=False)()
    sink.write(features("a"))
    shutil.rmtree(sink.folder)
    with pytest.raises(FileNotFoundError, match="deleted during the run"):
        sink.write(features("b"))
    with pytest.raises(WorkerError, match="new was deleted during the run"):
        sink.finish()


def test_names_that_are_not_utf8_are_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    sink = written(tmp_path, features(name), features("b"))
    assert sorted(rows_by_name(tmp_path)) == ["b", r"caf\udce9"]
    assert sink.has(source(name), FLOATS)
    assert not sink.has(source(os.fsdecode(b"caf\xe8")), FLOATS)
