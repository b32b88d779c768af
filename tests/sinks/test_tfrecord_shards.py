"""TFRecord shards of many sources: AudioSet's fields, resumed, also behind a URL; damage is named."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from example_proto import SequenceExample
from sink_runs import done, run
from table_maker import FLOATS, SETTINGS, features, source

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.tfrecord import SaveTFRecord, SaveTFRecordShards
from torch_zoo.utils.tfrecords.records import record, records
from torch_zoo.utils.types import Features, UsageError

NAMES = ["a", "b.c", "ünï", "d", "e"]
BYTES = {"vggish": np.dtype((np.uint8, 128))}


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "features") if request.param == "local" else f"{request.getfixturevalue('bucket')}/features"


@pytest.fixture(autouse=True)
def eight_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FLOATS, "vggish", BYTES["vggish"])


def clip(name: str, rows: int = 2, value: float = 0.0) -> Features:
    made = features(name, rows, value, np.uint8, 128)
    return replace(
        made, source=replace(source(name), start=1.5, end=9.0, columns={"labels": "3,300", "video_id": "id"})
    )


def shards(folder: str) -> list[str]:
    return sorted(name for name in storage.listing(folder) if name.endswith(".tfrecord"))


def examples(folder: str) -> list[tuple[str, SequenceExample]]:
    """Shard and message of each record."""
    system, path = fsspec.url_to_fs(folder)
    contents = {shard: io.BytesIO(system.cat_file(f"{path}/{shard}")) for shard in shards(folder)}
    return [
        (shard, SequenceExample.FromString(each.payload)) for shard, file in contents.items() for each in records(file)
    ]


def arrays(folder: str) -> dict[str, np.ndarray]:
    """Of each source, which is there once."""
    found = {}
    for _, example in examples(folder):
        [name] = example.context.feature["name"].bytes_list.value
        assert name.decode() not in found
        rows = [row.bytes_list.value[0] for row in example.feature_lists.feature["audio_embedding"].feature]
        found[name.decode()] = np.array([np.frombuffer(row, np.uint8) for row in rows])
    return found


def assert_complete(folder: str, *clips: Features) -> None:
    found = arrays(folder)
    assert sorted(found) == sorted(each.source.name for each in clips)
    for each in clips:
        np.testing.assert_array_equal(found[each.source.name], each.arrays["vggish"])


def test_a_record_has_the_fields_of_audioset_and_what_it_was_made_from(folder: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"x" * 1000)
    made = clip("a")
    run(SaveTFRecordShards(folder=folder), replace(made, source=replace(made.source, path=str(tmp_path / "a.mp3"))))
    [(_, example)] = examples(folder)
    context = example.context.feature
    assert [*context["video_id"].bytes_list.value, *context["name"].bytes_list.value] == [b"id", b"a"]
    assert [*context["start_time_seconds"].float_list.value, *context["end_time_seconds"].float_list.value] == [1.5, 9]
    assert list(context["labels"].int64_list.value) == [3, 300]
    assert json.loads(context["source"].bytes_list.value[0])["made_from"]["size"] == 1000


def test_a_shard_is_full_with_the_source_that_reaches_its_bytes(tmp_path: Path) -> None:
    clips = [clip(name, rows=5) for name in NAMES]
    run(SaveTFRecordShards(folder=str(tmp_path), shard_bytes=1500), *clips)
    assert_complete(str(tmp_path), *clips)
    assert shards(str(tmp_path)) == [f"records-{number:06}.tfrecord" for number in range(3)]
    assert [shard[-10] for shard, _ in examples(str(tmp_path))] == list("00112")


def test_a_second_run_adds_shards_and_an_overwriting_one_replaces_records(folder: str) -> None:
    sink = {"folder": folder, "shard_bytes": 1500}
    run(SaveTFRecordShards(**sink), *(clip(name, 5) for name in NAMES[:3]))
    assert run(SaveTFRecordShards(**sink), *(clip(name, 5) for name in NAMES)) == NAMES[3:]
    again = [clip("b.c", 4, 7), clip("e", 3, 9)]
    assert run(SaveTFRecordShards(**sink), *again, overwrite=True) == ["b.c", "e"]
    assert_complete(folder, clip("a", 5), clip("ünï", 5), clip("d", 5), *again)
    assert done(SaveTFRecordShards(**sink), [clip(name, 5) for name in NAMES]) == NAMES


def test_killed_worker_costs_what_it_had_not_stored(folder: str) -> None:
    clips = [clip(name, rows=5) for name in NAMES]
    run(SaveTFRecordShards(folder=folder, shard_bytes=1500), *clips, killed=True)
    left = [name for name in NAMES if name not in arrays(folder)]
    assert (left != []) == storage.is_url(folder)
    assert run(SaveTFRecordShards(folder=folder, shard_bytes=1500), *clips) == left
    assert_complete(folder, *clips)


def test_the_shards_alone_say_what_is_done(folder: str) -> None:
    run(SaveTFRecordShards(folder=folder), *map(clip, NAMES))
    for name in storage.listing(folder):
        if "sources" in name:
            storage.remove(storage.join(folder, name))
    assert done(SaveTFRecordShards(folder=folder), list(map(clip, NAMES))) == NAMES


def test_a_source_without_windows_has_no_record_and_is_tried_again(folder: str) -> None:
    for _ in range(2):
        assert "none" in run(SaveTFRecordShards(folder=folder), clip("none", 0), clip("a"))
        assert list(arrays(folder)) == ["a"]


@pytest.mark.parametrize("damage", ["half", "bit", "another record"])
def test_a_damaged_shard_is_named_with_record_and_byte(damage: str, tmp_path: Path) -> None:
    run(SaveTFRecordShards(folder=str(tmp_path)), clip("a"), clip("b"))
    shard = tmp_path / "records-000000.tfrecord"
    content = shard.read_bytes()
    [_, second] = [each.offset for each in records(io.BytesIO(content))]
    changed = bytearray(content)
    changed[second + 40] ^= 1
    damaged = {"half": content[:-9], "bit": bytes(changed), "another record": content[:second] + record(b"\x0a\x00")}
    shard.write_bytes(damaged[damage])
    with pytest.raises(
        UsageError, match=rf"records-000000\.tfrecord: record 2 at byte {second}: .*; delete it or move"
    ):
        SaveTFRecordShards(folder=str(tmp_path)).prepare(SETTINGS, [], FLOATS, False)


def test_what_a_record_can_not_hold_is_refused_before_the_run(tmp_path: Path) -> None:
    sink = SaveTFRecordShards(folder=str(tmp_path / "new"))
    with pytest.raises(UsageError, match="a TFRecord stores 8-bit embeddings, and vggish is float32"):
        sink.prepare(SETTINGS, [source("a")], {"vggish": np.dtype(np.float32)}, False)
    with pytest.raises(
        UsageError, match="a record holds one array, and there are rgb, flow; save_tfrecord stores each"
    ):
        sink.prepare(SETTINGS, [source("a")], {"rgb": np.dtype(np.uint8), "flow": np.dtype(np.uint8)}, False)
    with pytest.raises(UsageError, match="labels=dog: must be class numbers"):
        sink.prepare(SETTINGS, [replace(source("a"), columns={"labels": "dog"})], BYTES, False)
    with pytest.raises(UsageError, match="shard_bytes=0: must be 1 or more"):
        SaveTFRecordShards(folder=str(tmp_path), shard_bytes=0)
    assert not (tmp_path / "new").exists()


def test_files_and_shards_do_not_share_a_folder(tmp_path: Path) -> None:
    SaveTFRecord(folder=str(tmp_path)).prepare(SETTINGS, [source("a")], BYTES, False)()
    with pytest.raises(UsageError, match="record_fields"):
        SaveTFRecordShards(folder=str(tmp_path)).prepare(SETTINGS, [source("a")], BYTES, False)()
