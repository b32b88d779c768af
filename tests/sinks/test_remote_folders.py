"""Folders in object storage: whole objects, one listing per run, and nothing lost but what was not recorded yet."""

from __future__ import annotations

import csv
import errno
import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import ARRAYS, ROWS, SETTINGS, extract, get, left, put

from torch_zoo.utils import storage
from torch_zoo.utils.sinks import failures, origins, record
from torch_zoo.utils.sinks.files import FileSink, SaveNpz, SaveNumpy, SavePickle
from torch_zoo.utils.sinks.record import ObjectRecord
from torch_zoo.utils.sinks.tfrecord import SaveTFRecord
from torch_zoo.utils.types import Outcome, OutputConflictError, Source, UsageError

SINKS = [SaveNumpy, SaveNpz, SavePickle, SaveTFRecord]


@pytest.fixture
def sink(bucket: str) -> SaveNumpy:
    return SaveNumpy(folder=f"{bucket}/features")


@pytest.fixture
def clips(tmp_path: Path) -> list[Source]:
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_text(name)
    return [Source(str(tmp_path / f"{name}.mp4"), name) for name in "abc"]


@pytest.mark.parametrize("kind", SINKS)
def test_files_are_those_of_a_local_folder(
    kind: type[FileSink], bucket: str, clips: list[Source], tmp_path: Path
) -> None:
    near, far = kind(folder=str(tmp_path / "features")), kind(folder=f"{bucket}/features")
    for sink in (near, far):
        assert left(sink, clips) == "abc"
        extract(sink, clips)
        assert left(sink, clips) == ""
    local = {path.name: path.read_bytes() for path in (tmp_path / "features").glob(f"*{kind.suffix}")}
    remote = {name: get(storage.join(far.folder, name)) for name in storage.listing(far.folder)}
    assert len(local) == 3 * (1 if kind is SaveNpz else 2)
    assert {name: remote[name] for name in remote if name.endswith(kind.suffix)} == local
    assert sorted(remote.keys() - local.keys())[1:] == ["extraction.yaml"]  # and one object of records
    assert remote["extraction.yaml"] == (tmp_path / "features/extraction.yaml").read_bytes()


def test_arrays_come_back(sink: SaveNumpy, clips: list[Source]) -> None:
    extract(sink, clips)
    np.testing.assert_array_equal(np.load(io.BytesIO(get(f"{sink.folder}/a_rgb.npy"))), ARRAYS["rgb"])
    extract(SavePickle(folder=sink.folder), clips)
    np.testing.assert_array_equal(pickle.loads(get(f"{sink.folder}/c_flow.pkl")), ARRAYS["flow"])


def test_a_resumed_run_lists_the_folder_once(
    sink: SaveNumpy, clips: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asks for no object but the settings and the one with the records."""
    extract(sink, clips)
    asked: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(storage, name)

        def call(path: str, *arguments: Any) -> Any:
            asked.append(f"{name} {path.removeprefix(sink.folder)[:9]}")
            return real(path, *arguments)

        return call

    for name in ("listing", "open_read", "exists", "atomic_write", "remove"):
        monkeypatch.setattr(storage, name, counted(name))
    assert left(sink, clips) == ""
    assert sorted(asked) == ["listing ", "listing /.sources", "open_read /.sources", "open_read /extracti"]


def test_what_is_gone_or_was_cut_is_extracted_again(sink: SaveNumpy, clips: list[Source]) -> None:
    extract(sink, clips)
    storage.remove(f"{sink.folder}/a_flow.npy")
    put(f"{sink.folder}/b_rgb.npy", b"\x93NUMPY")
    assert left(sink, clips) == "ab"


def test_a_killed_worker_costs_what_it_had_not_recorded(
    sink: SaveNumpy, clips: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "FLUSH_LINES", 4)  # two per source
    extract(sink, clips, killed=True)
    assert left(sink, clips) == "c"
    extract(sink, clips[2:])
    assert left(sink, clips) == ""
    assert len([name for name in storage.listing(sink.folder) if name.endswith(".jsonl")]) == 1


def test_records_are_stored_after_some_time(
    sink: SaveNumpy, clips: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "FLUSH_SECONDS", 0.0)
    extract(sink, clips, killed=True)
    assert left(sink, clips) == ""


def test_drivers_that_merge_at_once_lose_nothing(bucket: str) -> None:
    """The second one begins where the first has read all, and has written nothing yet; and the other way round."""
    folder = f"{bucket}/features"

    class Interrupted(ObjectRecord):
        def _read_all(self) -> dict[str, bytes]:
            found = super()._read_all()
            self.meanwhile()
            return found

        def meanwhile(self) -> None:
            writer = ObjectRecord(folder)
            writer.begin("late")
            writer.append(b'{"name": "late", "made_from": {}}\n')
            writer.flush()
            ObjectRecord(folder).merge()

    for name in ("x", "y"):
        writer = ObjectRecord(folder)
        writer.append(b'{"name": "%s", "made_from": {}}\n' % name.encode())
        writer.flush()
    Interrupted(folder).merge()
    last = ObjectRecord(folder)
    last.merge()
    assert all(b'{"name": "%s"' % name in last.read() for name in (b"x", b"y", b"late"))


def test_the_last_record_of_a_name_counts(sink: SaveNumpy, clips: list[Source]) -> None:
    extract(sink, clips)
    Path(clips[0].path).write_text("another")
    with pytest.raises(OutputConflictError, match="it has changed since"):
        left(sink, clips)
    extract(sink, clips[:1], overwrite=True)
    assert left(sink, clips) == ""


def test_media_in_object_storage_are_told_apart_by_their_entity_tags(
    sink: SaveNumpy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(f"{bucket}/a/clip.mp4", b"one")
    clip = Source(f"{bucket}/a/clip.mp4", "clip")
    extract(sink, [clip])
    assert left(sink, [clip]) == ""
    put(f"{bucket}/b/clip.mp4", b"one")
    assert left(sink, [replace(clip, path=f"{bucket}/b/clip.mp4")]) == ""  # moved
    put(f"{bucket}/c/clip.mp4", b"two")
    with pytest.raises(OutputConflictError, match=r"holds clip made from s3://.*/a/clip\.mp4; choose another"):
        left(sink, [replace(clip, path=f"{bucket}/c/clip.mp4")])
    put(f"{bucket}/a/clip.mp4", b"two")
    with pytest.raises(OutputConflictError, match="it has changed since"):
        left(sink, [clip])


def test_a_server_that_cannot_be_reached_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of sources, each question would take as long as all of its attempts."""
    asked: list[str] = []

    def stamp(path: str) -> storage.Stamp:
        asked.append(path)
        if "gone" in path:
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        if "down" in path:
            raise OSError(errno.EHOSTUNREACH, "the server cannot be reached", path)
        return storage.Stamp(3, "etag")

    monkeypatch.setattr(storage, "stamp", stamp)
    monkeypatch.setattr(origins, "REQUESTS", 1)
    paths = [f"{server}/{name}.mp4" for name in "ab" for server in ("https://down", "s3://up", "s3://gone")]
    found = origins.read_all([Source(path, path) for path in paths])
    assert {name: origin.etag for name, origin in found.items()} == dict.fromkeys(
        ("s3://up/a.mp4", "s3://up/b.mp4"), "etag"
    )
    assert asked == [path for path in paths if path != "https://down/b.mp4"]


def test_failures_are_listed_there(bucket: str) -> None:
    source = Source("a.mp4", "a")
    put(f"{bucket}/features/extraction.yaml", b"")
    file = failures.update(f"{bucket}/features", set(), [Outcome(source, "failed", "truncated")])
    [row] = csv.DictReader(io.StringIO(get(file).decode()))
    assert (row["name"], row["error"]) == ("a", "truncated")
    failures.update(f"{bucket}/features", {"a"}, [])
    assert not storage.exists(file)


def test_a_folder_that_cannot_be_used_is_named_before_any_work(bucket: str, clips: list[Source]) -> None:
    with pytest.raises(UsageError, match=r"gone/features\S*: no such bucket"):
        SaveNumpy(folder=f"{bucket}-gone/features").prepare(SETTINGS, clips, ROWS, False)
