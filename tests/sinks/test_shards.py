"""Tables in several files, local or behind a URL: complete whatever happens to workers, resumed, and read by others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import yaml
from sink_runs import begun, done, end, run
from table_maker import FLOATS, SETTINGS, features, source

import torch_zoo
from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers import shards
from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.types import Features, OutputConflictError, UsageError

NAMES = ["a", "b", "c", "d", "e"]


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "features")
    return f"{request.getfixturevalue('bucket')}/features"


def files(folder: str) -> list[str]:
    return sorted(name for name in storage.listing(folder) if name.endswith(".parquet"))


def rows(folder: str) -> dict[str, list[np.ndarray]]:
    """The vectors of each source, as fsspec and pyarrow read them."""
    system, path = fsspec.url_to_fs(folder)
    table = ds.dataset([f"{path}/{name}" for name in files(folder)], filesystem=system).to_table()
    found: dict[str, list[np.ndarray]] = {}
    for row in table.to_pylist():
        found.setdefault(row["name"], []).append(np.array(row["embedding"], np.float32))
    return found


def assert_complete(folder: str, *all_features: Features) -> None:
    found = rows(folder)
    assert sorted(found) == sorted(each.source.name for each in all_features)
    for each in all_features:
        np.testing.assert_array_equal(found[each.source.name], each.arrays["vggish"])


def test_a_file_is_full_with_the_source_that_reaches_its_rows(folder: str) -> None:
    all_features = [features(name, rows=3) for name in NAMES]
    run(SaveTable(folder=folder, rows_per_file=5), *all_features)
    assert_complete(folder, *all_features)
    system, path = fsspec.url_to_fs(folder)
    sizes = [pq.read_metadata(system.open(f"{path}/{name}")).num_rows for name in files(folder)]
    assert sizes == [6, 6, 3]


def test_a_second_run_adds_files_and_extracts_nothing_again(folder: str) -> None:
    sink = SaveTable(folder=folder, rows_per_file=4)
    first, more = [features(name) for name in NAMES[:3]], [features(name) for name in NAMES]
    assert run(sink, *first) == NAMES[:3]
    before = storage.listing(folder)
    assert run(SaveTable(folder=folder, rows_per_file=4), *more) == NAMES[3:]
    after = storage.listing(folder)
    assert {name: before[name] for name in before if name.endswith(".parquet")}.items() <= after.items()
    assert_complete(folder, *more)


def test_numbers_of_local_files_have_no_gaps_and_those_of_workers_do_not_meet(folder: str) -> None:
    sink = SaveTable(folder=folder, rows_per_file=1)
    sink.prepare(SETTINGS, [], FLOATS, overwrite=False)()
    workers = [begun(sink), begun(sink)]
    for name, worker in zip(NAMES, [*workers, *workers, workers[0]], strict=True):
        worker.write(features(name))
    for worker in workers:
        worker.flush()
        end(worker)
    sink.finish()
    assert_complete(folder, *map(features, NAMES))
    if not storage.is_url(folder):
        assert files(folder) == [f"embeddings-{number:06}.parquet" for number in range(5)]


def test_killed_worker_costs_what_it_had_not_stored(folder: str) -> None:
    all_features = [features(name) for name in NAMES]
    sink = SaveTable(folder=folder, rows_per_file=4)
    run(sink, *all_features, killed=True)
    stored = NAMES[:4] if storage.is_url(folder) else NAMES
    assert sorted(rows(folder)) == stored
    assert run(SaveTable(folder=folder, rows_per_file=4), *all_features) == NAMES[len(stored) :]
    assert_complete(folder, *all_features)


def test_a_source_that_two_workers_stored_is_kept_once(folder: str) -> None:
    """The first worker was killed after it had stored the source and before it could say so."""
    sink = SaveTable(folder=folder, rows_per_file=1)
    sink.prepare(SETTINGS, [source("a")], FLOATS, overwrite=False)()
    for number in range(2):
        worker = begun(sink)
        worker.write(features("a"))
        worker.write(features("bc"[number]))
        end(worker)
    sink.finish()
    assert_complete(folder, *map(features, "abc"))


def test_overwritten_sources_are_replaced_in_all_files(folder: str) -> None:
    run(SaveTable(folder=folder, rows_per_file=3), *(features(name) for name in NAMES))
    again = [features("b", 1, 7), features("d", 3, 8)]
    assert run(SaveTable(folder=folder, rows_per_file=3), *again, overwrite=True) == ["b", "d"]
    assert_complete(folder, features("a"), features("c"), features("e"), *again)
    run(SaveTable(folder=folder, rows_per_file=3), *(features(name, 1) for name in NAMES), overwrite=True)
    assert_complete(folder, *(features(name, 1) for name in NAMES))


def test_a_source_without_windows_has_no_row_and_is_tried_again(folder: str) -> None:
    for _ in range(2):
        assert "none" in run(SaveTable(folder=folder, rows_per_file=4), features("none", 0), features("a"))
        assert sorted(rows(folder)) == ["a"]
    assert run(SaveTable(folder=folder, rows_per_file=4), features("none", 0)) == ["none"]
    assert len(files(folder)) == 1


def test_a_table_says_settings_version_and_what_its_rows_were_made_from(folder: str, tmp_path: Path) -> None:
    media = tmp_path / "a.mp3"
    media.write_bytes(b"x" * 1000)
    made = replace(features("a"), source=replace(source("a"), path=str(media)))
    run(SaveTable(folder=folder, rows_per_file=5), made)
    system, path = fsspec.url_to_fs(folder)
    [name] = files(folder)
    about = pq.read_metadata(system.open(f"{path}/{name}")).metadata
    assert about[b"torch_zoo"].decode() == torch_zoo.__version__
    assert yaml.safe_load(about[b"extraction"]) == SETTINGS
    [line] = about[b"sources"].splitlines()
    made_from = json.loads(line)["made_from"]
    assert (made_from["path"], made_from["size"]) == (str(media), 1000)
    assert len(made_from["digest"]) == 32

    media.write_bytes(b"y" * 1000)  # another file of that name
    sink = SaveTable(folder=folder, rows_per_file=5)
    sink.prepare(SETTINGS, [made.source], FLOATS, overwrite=False)
    with pytest.raises(OutputConflictError, match="has changed"):
        sink.has(made.source, FLOATS)


def test_the_files_alone_say_what_is_done(folder: str) -> None:
    """A driver that was killed has not merged the record of the workers."""
    all_features = [features(name) for name in NAMES]
    run(SaveTable(folder=folder, rows_per_file=4), *all_features)
    for name in storage.listing(folder):
        if "sources" in name:
            storage.remove(storage.join(folder, name))
    assert done(SaveTable(folder=folder, rows_per_file=4), all_features) == NAMES


def test_polars_duckdb_and_datasets_like_readers_take_the_files_as_one_table(tmp_path: Path) -> None:
    all_features = [features(name, rows=3) for name in NAMES]
    run(SaveTable(folder=str(tmp_path), rows_per_file=5), *all_features)
    expected = np.concatenate([each.arrays["vggish"] for each in all_features])
    pattern = f"{tmp_path}/embeddings-*.parquet"
    np.testing.assert_array_equal(pl.read_parquet(pattern)["embedding"].to_numpy(), expected)
    found = duckdb.sql(f"SELECT embedding::FLOAT[4] AS e FROM '{pattern}' ORDER BY name, start").fetchnumpy()
    np.testing.assert_array_equal(np.stack(list(found["e"])), expected)


def test_columns_of_the_list_go_along(folder: str) -> None:
    labeled = replace(features("a"), source=replace(source("a"), columns={"label": "dog, barking"}))
    run(SaveTable(folder=folder, rows_per_file=9), labeled, features("b"))
    system, path = fsspec.url_to_fs(folder)
    table = pq.read_table(system.open(f"{path}/{files(folder)[0]}"))
    assert table.column_names == ["name", "path", "start", "end", "label", "embedding"]
    assert table["label"].to_pylist() == ["dog, barking"] * 2 + [None] * 2


def test_columns_that_a_later_list_has_are_null_before(tmp_path: Path) -> None:
    labeled = replace(features("b"), source=replace(source("b"), columns={"label": "dog"}))
    for each in (features("a"), labeled, features("c")):
        run(SaveTable(folder=str(tmp_path)), each)
    found = pl.read_parquet(tmp_path / "embeddings.parquet")
    assert dict(found.group_by("name").agg(pl.col("label").first()).iter_rows()) == {"a": None, "b": "dog", "c": None}


def test_a_column_of_the_list_that_the_table_needs_is_refused(tmp_path: Path) -> None:
    taken = replace(source("a"), columns={"embedding": "x"})
    with pytest.raises(UsageError, match="the list has a column embedding, which the table needs for itself"):
        SaveTable(folder=str(tmp_path)).prepare(SETTINGS, [taken], FLOATS, overwrite=False)


def test_two_rows_of_a_list_that_name_the_same_seconds_stay_two(tmp_path: Path) -> None:
    both = [replace(features(name), source=replace(source(name), path="music/a.mp3")) for name in ("a", "a again")]
    run(SaveTable(folder=str(tmp_path)), *both)
    assert sorted(rows(str(tmp_path))) == ["a", "a again"]


def test_one_file_may_become_several(tmp_path: Path) -> None:
    run(SaveTable(folder=str(tmp_path)), features("a"), features("b"))
    sink = SaveTable(folder=str(tmp_path), rows_per_file=2)
    assert run(sink, features("a"), features("b"), features("c"), features("d")) == ["c", "d"]
    run(SaveTable(folder=str(tmp_path), rows_per_file=2), features("a", 1, 5), overwrite=True)
    assert_complete(str(tmp_path), features("a", 1, 5), *map(features, "bcd"))


@pytest.mark.parametrize("number", [0, -1])
def test_no_rows_are_refused(number: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"rows_per_file={number}: must be 1 or more"):
        SaveTable(folder=str(tmp_path), rows_per_file=number)


def test_entries_are_divided_by_rows_and_by_bytes() -> None:
    batches = [pa.record_batch({"x": np.arange(rows, dtype=np.int64)}) for rows in (3, 4, 1, 9, 2)]
    divided = [[each.num_rows for each in part] for part in shards.divided(batches, shards.Limit(rows=5))]
    assert divided == [[3, 4], [1, 9], [2]]
    divided = [[each.num_rows for each in part] for part in shards.divided(batches, shards.Limit(bytes=8 * 8))]
    assert divided == [[3, 4, 1], [9], [2]]
    assert list(shards.divided([], shards.Limit(rows=5))) == []
