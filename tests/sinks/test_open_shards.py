"""Behind a URL a worker holds a shard until it is full or old, or until it has nothing else to do."""

from __future__ import annotations

import errno
from unittest.mock import Mock

import pytest
from sink_runs import begun
from table_maker import FLOATS, SETTINGS, features

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers import shards
from torch_zoo.utils.sinks.table import SaveTable

NAMES = ["a", "b", "c", "d", "e"]


def stored(folder: str) -> list[list[str]]:
    """The names in each shard, in the order in which they were stored."""
    return [list(sources) for sources in SaveTable(folder=folder).stored.sources.values()]


def test_a_worker_behind_a_url_is_buffered_until_its_shard_is_stored(bucket: str) -> None:
    folder = f"{bucket}/features"
    sink = SaveTable(folder=folder, rows_per_file=4)
    sink.prepare(SETTINGS, [], FLOATS, overwrite=False)()
    worker = begun(sink)
    buffered = []
    for name in NAMES:
        worker.write(features(name))
        buffered.append((worker.buffered, len(stored(folder))))
    assert buffered == [(True, 0), (False, 1), (True, 1), (False, 2), (True, 2)]
    worker.flush()
    assert (worker.buffered, len(stored(folder))) == (False, 3)


def test_a_shard_is_stored_when_it_is_old(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = SaveTable(folder=f"{bucket}/features")
    sink.prepare(SETTINGS, [], FLOATS, overwrite=False)()
    worker = begun(sink)
    worker.write(features("a"))
    assert worker.buffered
    monkeypatch.setattr(shards, "LONGEST_SECONDS", 0.0)
    worker.write(features("b"))
    assert not worker.buffered


def test_a_worker_that_cannot_store_holds_no_more_than_a_shard(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources that come meanwhile fail, and are in no shard; those before them are stored later."""
    sink = SaveTable(folder=f"{bucket}/features", rows_per_file=3)
    sink.prepare(SETTINGS, [], FLOATS, overwrite=False)()
    worker = begun(sink)
    worker.write(features("a"))
    with monkeypatch.context() as patch:
        patch.setattr(storage, "atomic_write", Mock(side_effect=PermissionError(errno.EACCES, "access denied")))
        for name in NAMES[1:4]:
            with pytest.raises(PermissionError):
                worker.write(features(name))
    worker.write(features("e"))
    assert stored(sink.folder) == [["a", "e"]]
