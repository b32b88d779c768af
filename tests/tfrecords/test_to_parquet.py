"""python -m torch_zoo.utils.tfrecords to-parquet: the rows of AudioSet's records as a table of features."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from command import ROOT
from example_proto import serialized
from table_maker import source

from torch_zoo.utils.sinks.containers.parquet import open_table
from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.sinks.tfrecord import SaveTFRecord, SaveTFRecordShards
from torch_zoo.utils.tfrecords.__main__ import main
from torch_zoo.utils.tfrecords.records import record
from torch_zoo.utils.types import Features, Source

BYTES = {"vggish": np.dtype((np.uint8, 128))}
IDS = ["-0RWZT-miFs", "a1", "ünï", "zero"]
CLASSES = 'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/05zppz,"Male speech, man speaking"\n7,/m/x,Dog\n'


def clip(name: str, rows: int = 3, start: float = 30.0, labels: str = "0,7") -> Features:
    """As in the release: a row per second."""
    random = np.random.default_rng(len(name) + rows)
    times = start + np.arange(rows)[:, None] + np.array([0, 0.96])
    columns = {"labels": labels, "video_id": name} if labels else {"video_id": name}
    made = Source(source(name).path, name, start, start + 10, columns)
    return Features(made, {"vggish": random.integers(0, 256, (rows, 128), np.uint8)}, times)


def shard(path: Path, clips: Sequence[Features]) -> Path:
    """A file of several records, as released."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(record(_payload(each.source, each.arrays["vggish"])) for each in clips))
    return path


def _payload(source: Source, rows: np.ndarray) -> bytes:
    context = {
        "video_id": [source.name.encode()],
        "start_time_seconds": [source.start],
        "end_time_seconds": [source.end],
        "labels": [int(label) for label in source.columns.get("labels", "").split(",") if label],
    }
    return serialized(context, {"audio_embedding": [[row.tobytes()] for row in rows]})


def columns(path: Path | str) -> dict[str, list[object]]:
    with open_table(str(path)) as table:
        found: dict[str, list[object]] = table.read().to_pydict()
    return found


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A folder of shards, one of them without a row."""
    for number, name in enumerate(IDS):
        shard(tmp_path / "release" / f"{name[:2]}.tfrecord", [clip(name, 2 + number), clip(f"{name}2", 0)])
    return tmp_path / "release"


@pytest.mark.parametrize("kind", [SaveTFRecord, SaveTFRecordShards])
def test_the_table_is_the_one_that_save_table_writes(kind: type, tmp_path: Path) -> None:
    """But for the path, which is that of the records, and the columns that they lack."""
    clips = [clip("a", 4), clip("b", 3, 0.25, "1"), clip("c", 2, 7.0, "")]
    for sink in (SaveTable(folder=str(tmp_path / "table")), kind(folder=str(tmp_path / "records"), **audioset(kind))):
        sink.prepare({}, [each.source for each in clips], BYTES, overwrite=False)()
        for each in clips:
            sink.write(each)
        sink.finish()
    assert main(["to-parquet", str(tmp_path / "records"), str(tmp_path / "ours.parquet")]) == 0
    ours, theirs = tmp_path / "ours.parquet", tmp_path / "table" / "embeddings.parquet"
    found, expected = columns(ours), columns(theirs)
    assert list(found) == ["name", "path", "start", "end", "labels", "embedding"]
    same = [name for name in found if name != "path"]
    assert [found[name] for name in same] == [expected[name] for name in same]
    fields = {name: pq.read_schema(theirs).field(name) for name in found}
    assert {name: pq.read_schema(ours).field(name) for name in found} == fields


def audioset(kind: type) -> dict[str, str]:
    return {"record_fields": "audioset"} if kind is SaveTFRecord else {}


def test_a_folder_a_pattern_and_files_give_the_same_rows(released: Path, tmp_path: Path) -> None:
    files = sorted(map(str, released.glob("*.tfrecord")))
    expected = [
        row for name in ("-0RWZT-miFs", "a1", "zero", "ünï") for row in clip(name, 2 + IDS.index(name)).arrays["vggish"]
    ]
    for given in ([str(released)], [f"{released}/*.tfrecord"], files, [files[0], str(released)]):
        assert main(["to-parquet", *given, str(tmp_path / "out.parquet")]) == 0
        np.testing.assert_array_equal(columns(tmp_path / "out.parquet")["embedding"], expected)


def test_records_and_table_may_be_in_object_storage(released: Path, bucket: str, tmp_path: Path) -> None:
    system, place = fsspec.url_to_fs(bucket)
    system.put(f"{released}/", f"{place}/release", recursive=True)
    assert main(["to-parquet", str(released), str(tmp_path / "local.parquet")]) == 0
    for given in (f"{bucket}/release", f"{bucket}/release/*.tfrecord"):
        assert main(["to-parquet", given, f"{bucket}/table.parquet"]) == 0
        remote, local = columns(f"{bucket}/table.parquet"), columns(tmp_path / "local.parquet")
        assert {**remote, "path": ...} == {**local, "path": ...}
        assert set(remote["path"]) == {f"{bucket}/release/{path.name}" for path in released.iterdir()}


def test_labels_are_numbers_or_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shard(
        tmp_path / "a.tfrecord", [clip("a", 1, labels="1,7"), clip("b", 1, labels=""), clip("c", 1, labels="0")]
    )
    (tmp_path / "classes.csv").write_text(CLASSES)
    arguments = ["to-parquet", str(file), str(tmp_path / "out.parquet")]
    assert main(arguments) == 0
    assert columns(tmp_path / "out.parquet")["labels"] == ["1,7", None, "0"]
    assert main([*arguments, "--labels", str(tmp_path / "classes.csv")]) == 0
    assert columns(tmp_path / "out.parquet")["labels"] == ["Male speech, man speaking;Dog", None, "Speech"]
    (tmp_path / "classes.csv").write_text(CLASSES.replace("7,/m/x", "8,/m/x"))
    capsys.readouterr()
    assert main([*arguments, "--labels", str(tmp_path / "classes.csv")]) == 2
    assert "classes.csv: it has no class 7, which a clip has" in capsys.readouterr().err


def test_the_hop_is_that_of_the_records(tmp_path: Path) -> None:
    file = shard(tmp_path / "a.tfrecord", [clip("a", 3, 1.5)])
    assert main(["to-parquet", str(file), str(tmp_path / "out.parquet"), "--hop_seconds", "0.96"]) == 0
    found = columns(tmp_path / "out.parquet")
    assert found["start"] == pytest.approx([1.5, 2.46, 3.42])
    assert found["end"] == pytest.approx([2.46, 3.42, 4.38])


def test_a_damaged_file_is_named_with_record_and_byte_and_the_rest_is_converted(
    released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = shard(released / "b.tfrecord", [clip("b", 2), clip("c", 2), clip("d", 2)])
    content = damaged.read_bytes()
    second = len(content) // 3
    damaged.write_bytes(content[: 2 * second - 7])
    assert main(["to-parquet", str(damaged), f"{released}/a1.tfrecord", str(tmp_path / "out.parquet")]) == 1
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed")]
    assert line == (
        f"failed: {damaged}: record 2 at byte {second}: cut off, {second - 19} bytes of {second - 12} are there; "
        "the table has what precedes it"
    )
    assert columns(tmp_path / "out.parquet")["name"] == ["b", "b", "a1", "a1", "a1"]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"\x12\x00", "it has no feature list audio_embedding"),
        (b"\x0a\x05abc", "field 1 announces 5 bytes, and 3 are left"),
    ],
)
def test_records_of_something_else_are_refused(
    payload: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.tfrecord").write_bytes(record(payload))
    (tmp_path / "out.parquet").write_bytes(b"kept")
    assert main(["to-parquet", str(tmp_path), str(tmp_path / "out.parquet")]) == 2
    assert f"a.tfrecord: record 1 at byte 0: {said}" in capsys.readouterr().err
    assert (tmp_path / "out.parquet").read_bytes() == b"kept"


def test_records_without_a_context_or_of_another_width_are_refused(
    golden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = str(golden / "vggish_inference_demo_2rows.tfrecord")
    assert main(["to-parquet", demo, str(tmp_path / "out.parquet")]) == 2
    assert (
        "record 1 at byte 0: its context has no video_id; record_fields=audioset writes it" in capsys.readouterr().err
    )
    wide = Features(clip("a").source, {"vggish": np.zeros((2, 64), np.uint8)}, clip("a", 2).times)
    assert main(["to-parquet", str(shard(tmp_path / "a.tfrecord", [wide])), str(tmp_path / "out.parquet")]) == 2
    assert "row 1 of audio_embedding has 64 bytes instead of 128" in capsys.readouterr().err


def test_a_record_that_tensorflow_wrote(golden: Path, tmp_path: Path) -> None:
    assert main(["to-parquet", str(golden / "audioset_style_2rows.tfrecord"), str(tmp_path / "out.parquet")]) == 0
    found = columns(tmp_path / "out.parquet")
    assert found["name"] == ["-0RWZT-miFs"] * 2
    assert (found["start"], found["labels"]) == ([420.0, 421.0], ["1,522,11,172"] * 2)
    rows = [np.arange(128), 255 - 3 * np.arange(128)]
    np.testing.assert_array_equal(found["embedding"], np.array(rows).astype(np.uint8))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.tfrecord", "out.parquet"], "nowhere.tfrecord: no such file or folder"),
        (["*.records", "out.parquet"], "*.records: no such file or folder"),
        (["folder", "out.parquet"], "folder: no .tfrecord files in it"),
        (["a.tfrecord", "b.tfrecord"], "b.tfrecord: the last argument is the .parquet to write"),
        (["empty.tfrecord", "out.parquet"], "empty.tfrecord: there is no row in it"),
        (["empty.tfrecord", "out.parquet", "--labels", "folder/x.csv"], "--labels folder/x.csv, line 1: a row must be"),
        (["empty.tfrecord", "out.parquet", "--hop-seconds", "0"], "0: must be a finite number, 0.001 or more"),
    ],
)
def test_wrong_arguments_are_one_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.csv").write_text("a,b\n")
    (tmp_path / "empty.tfrecord").touch()
    assert main(["to-parquet", *arguments]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ")
    assert said in line


def test_the_commands_of_the_documentation_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python -m torch_zoo\.utils\.tfrecords (.*)$", page, re.MULTILINE)
    assert len(commands) == 2
    monkeypatch.chdir(tmp_path)
    shard(tmp_path / "audioset_v1_embeddings" / "eval" / "-0.tfrecord", [clip("a")])
    (tmp_path / "class_labels_indices.csv").write_text(CLASSES)
    sink = SaveTFRecordShards(folder="output/vggish")
    sink.prepare({}, [], BYTES, overwrite=False)()
    sink.write(clip("b"))
    sink.finish()
    for command in commands:
        assert main(command.split()) == 0
