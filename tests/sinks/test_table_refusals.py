"""What can't go into a table is refused in one line, and a full disk spoils nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from table_maker import FLOATS, SETTINGS, features, journals, rows_by_name, source, written

from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.types import UsageError


def test_other_settings_are_refused_unless_all_is_overwritten(tmp_path: Path) -> None:
    sink = SaveTable(folder=str(tmp_path))
    sink.claim(SETTINGS, [], FLOATS, overwrite=False)()
    written(tmp_path, features("a"), features("b"))
    other = {**SETTINGS, "hop_seconds": 0.48}
    for sources, overwrite in (([source("a"), source("b")], False), ([source("a")], True)):
        with pytest.raises(UsageError, match=r"hop_seconds=0.96 \(now 0.48\)"):
            sink.claim(other, sources, FLOATS, overwrite)()
    assert sink.has(source("a"), FLOATS)
    sink.claim(other, [source("a"), source("b"), source("c")], FLOATS, overwrite=True)()
    assert not sink.has(source("a"), FLOATS)


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_damaged_table_is_named(content: bytes | None, tmp_path: Path) -> None:
    sink = written(tmp_path, features("a"))
    path = Path(sink.destination)
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    with pytest.raises(UsageError, match=r"embeddings\.parquet: damaged.*delete it or move it away"):
        sink.claim(SETTINGS, [source("a")], FLOATS, overwrite=False)()


def test_table_of_something_else_is_named(tmp_path: Path) -> None:
    pd.DataFrame({"name": ["a"], "price": [1.0]}).to_parquet(tmp_path / "embeddings.parquet")
    with pytest.raises(UsageError, match="not a table of features, it has no column end"):
        SaveTable(folder=str(tmp_path)).claim(SETTINGS, [], FLOATS, overwrite=False)()


def test_table_of_other_numbers_is_refused(tmp_path: Path) -> None:
    sink = written(tmp_path, features("a", dtype=np.uint8))
    with pytest.raises(UsageError, match=r"holds embedding: .*uint8.*, not embedding: float32; move it away"):
        sink.claim(SETTINGS, [source("b")], FLOATS, overwrite=False)()
    sink.write(features("b"))
    with pytest.raises(UsageError, match="can't hold both"):
        sink.finish()
    assert sorted(rows_by_name(tmp_path)) == ["a"]
    assert len(journals(tmp_path)) == 1  # nothing is lost


def test_full_disk_in_a_source_leaves_the_journal_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
