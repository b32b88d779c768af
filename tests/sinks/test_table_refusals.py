"""What can't go into a table is refused in one line, and a full disk spoils nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from table_maker import FLOATS, SETTINGS, features, journals, prepared, rows_by_name, source, written

from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.types import UsageError


def test_other_settings_are_refused_unless_all_is_overwritten(tmp_path: Path) -> None:
    sink = prepared(tmp_path)
    written(tmp_path, features("a"), features("b"))
    other = {**SETTINGS, "hop_seconds": 0.48}
    for sources, overwrite in (([source("a"), source("b")], False), ([source("a")], True)):
        with pytest.raises(UsageError, match=r"hop_seconds=0.96 \(now 0.48\)"):
            sink.prepare(other, sources, FLOATS, overwrite)()
    assert sink.has(source("a"), FLOATS)
    sink.prepare(other, [source("a"), source("b"), source("c")], FLOATS, overwrite=True)()
    assert not sink.has(source("a"), FLOATS)


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_damaged_table_is_named(content: bytes | None, tmp_path: Path) -> None:
    sink = written(tmp_path, features("a"))
    path = Path(sink.destination)
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    with pytest.raises(UsageError, match=r"embeddings\.parquet: damaged.*delete it or move it away"):
        sink.prepare(SETTINGS, [source("a")], FLOATS, overwrite=False)()


def test_table_of_something_else_is_named(tmp_path: Path) -> None:
    pd.DataFrame({"name": ["a"], "price": [1.0]}).to_parquet(tmp_path / "embeddings.parquet")
    with pytest.raises(UsageError, match="not a table of features, it has no column end"):
        SaveTable(folder=str(tmp_path)).prepare(SETTINGS, [], FLOATS, overwrite=False)()


def test_table_of_other_numbers_is_refused(tmp_path: Path) -> None:
    prepared(tmp_path)
    sink = written(tmp_path, features("a", dtype=np.uint8))
    with pytest.raises(UsageError, match=r"holds embedding: .*uint8.*, not embedding: float32\[4\]; move it away"):
        sink.prepare(SETTINGS, [source("b")], FLOATS, overwrite=False)()
    sink.write(features("b"))
    with pytest.raises(UsageError, match="can't hold both"):
        sink.finish()
    assert sorted(rows_by_name(tmp_path)) == ["a"]
    assert len(journals(tmp_path)) == 1  # nothing is lost


def test_table_of_another_width_is_refused(tmp_path: Path) -> None:
    prepared(tmp_path)
    sink = written(tmp_path, features("a", width=5))
    with pytest.raises(UsageError, match=r"holds embedding: .*float.*5.*, not embedding: float32\[4\]"):
        sink.prepare(SETTINGS, [source("b")], FLOATS, overwrite=False)()


def test_damaged_page_of_a_table_is_named(tmp_path: Path) -> None:
    sink = prepared(tmp_path)
    written(tmp_path, *(features(f"{number:04}", rows=9, value=0.1 * number) for number in range(50)))
    path = Path(sink.destination)
    group = pq.ParquetFile(path).metadata.row_group(0)
    content = bytearray(path.read_bytes())
    for column, message in ((4, "next run"), (0, "this one")):
        chunk = group.column(column)
        place = chunk.dictionary_page_offset or chunk.data_page_offset
        content[place + chunk.total_compressed_size - 9] ^= 16
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"embeddings\.parquet: damaged; delete it or move it away"):
            if message == "this one":
                sink.prepare(SETTINGS, [source("a")], FLOATS, overwrite=False)
            else:
                written(tmp_path, features("a"))
    assert len(journals(tmp_path)) == 1  # nothing is lost


@pytest.mark.parametrize("place", ["message", "rows"])
def test_damaged_journal_is_set_aside(place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sink = prepared(tmp_path)
    ends = []
    for name in "abc":
        sink.write(features(name))
        ends.append(journals(tmp_path)[0].stat().st_size)
    [journal] = journals(tmp_path)
    content = bytearray(journal.read_bytes())
    at = ends[0] + 8 if place == "message" else content.index(b"music/b.mp3") - 100
    content[at : at + 60] = b"\xff" * 60
    journal.write_bytes(content)
    sink.finish()
    assert "a" in rows_by_name(tmp_path)
    [aside] = tmp_path.glob("*.damaged")
    assert f"{aside}: damaged after {ends[0]} bytes, and set aside" in caplog.text
    again = SaveTable(folder=str(tmp_path))
    again.prepare(SETTINGS, [source(name) for name in "abc"], FLOATS, overwrite=False)
    assert [again.has(source(name), FLOATS) for name in "abc"] == [True, False, False]


def test_full_disk_in_a_source_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = SaveTable(folder=str(tmp_path))
    sink.write(features("a"))
    real = os.write

    def fails_half_way(file: int, content: memoryview) -> int:
        if len(content) < 500:
            raise OSError(28, "No space left on device")
        return real(file, content[:200])

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "write", fails_half_way)
        sink.write(features("b"))
    sink.write(features("c"))
    sink.finish()
    assert sorted(rows_by_name(tmp_path)) == ["a", "c"]
