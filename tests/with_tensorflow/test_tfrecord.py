"""TensorFlow reads the TFRecord files written by the sink."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ROOT, SPEECH, run

from torch_zoo.utils.sinks.tfrecord import SaveTFRecord, SaveTFRecordShards
from torch_zoo.utils.tfrecords.audioset import Clip, clip
from torch_zoo.utils.tfrecords.records import records
from torch_zoo.utils.types import Features, Source

tf = pytest.importorskip("tensorflow", reason="make test-tensorflow runs this")
pytestmark = pytest.mark.tensorflow

CONTEXT = {
    "video_id": tf.io.FixedLenFeature([], tf.string),
    "start_time_seconds": tf.io.FixedLenFeature([], tf.float32),
    "end_time_seconds": tf.io.FixedLenFeature([], tf.float32),
    "labels": tf.io.VarLenFeature(tf.int64),
}


def read(path: Path, context: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
    """Context and rows (T, D) of the one example in a file."""
    [example] = tf.data.TFRecordDataset(str(path))
    lists = {"audio_embedding": tf.io.FixedLenSequenceFeature([], tf.string)}
    values, rows = tf.io.parse_single_sequence_example(example, context, lists)
    return values, tf.io.decode_raw(rows["audio_embedding"], tf.uint8).numpy()


def written(folder: Path, source: Source, rows: np.ndarray, **options: Any) -> Path:
    starts = source.start + 0.96 * np.arange(len(rows))
    times = np.stack([starts, starts + 0.96], axis=1)
    SaveTFRecord(folder=str(folder), **options).write(Features(source, {"vggish": rows}, times))
    return folder / f"{source.name}_vggish.tfrecord"


@pytest.mark.parametrize("number", [0, 1, 3, 4000])
def test_rows_round_trip(number: int, tmp_path: Path) -> None:
    rows = np.random.default_rng(number).integers(0, 256, (number, 128), np.uint8)
    path = written(tmp_path, Source("clip.mp4", "clip"), rows)
    np.testing.assert_array_equal(read(path, {})[1].reshape(-1, 128), rows)
    [record] = tf.data.TFRecordDataset(str(path))
    assert not tf.train.SequenceExample.FromString(record.numpy()).HasField("context")


def test_audioset_context_round_trips(tmp_path: Path) -> None:
    source = Source("clip.mp4", "clip", 1.5, 3.25, {"video_id": "-0RWé", "labels": "0;1,300 9223372036854775807"})
    rows = np.arange(256, dtype=np.uint8).reshape(2, 128)
    values, back = read(written(tmp_path, source, rows, record_fields="audioset"), CONTEXT)
    np.testing.assert_array_equal(back, rows)
    assert values["video_id"].numpy().decode() == "-0RWé"
    assert (values["start_time_seconds"], values["end_time_seconds"]) == (1.5, 3.25)
    assert list(values["labels"].values) == [0, 1, 300, 2**63 - 1]


def test_without_audioset_columns_the_context_has_name_and_windows(tmp_path: Path) -> None:
    path = written(tmp_path, Source("clip.mp4", "clip"), np.zeros((2, 128), np.uint8), record_fields="audioset")
    values, _ = read(path, CONTEXT)
    assert values["video_id"] == b"clip"
    assert (values["start_time_seconds"], values["end_time_seconds"]) == (0, np.float32(1.92))
    assert len(values["labels"].values) == 0


@pytest.mark.parametrize("rows", [0, 300])
def test_bytes_equal_tensorflows(rows: int, tmp_path: Path) -> None:
    """For sizes and a context other than the golden files'."""
    source = Source("clip.mp4", "clip", 2.0, 4.0, {"labels": "7"})
    array = np.full((rows, 128), 200, np.uint8)
    train = tf.train
    example = train.SequenceExample()
    example.context.feature["video_id"].bytes_list.value.append(b"clip")
    example.context.feature["start_time_seconds"].float_list.value.append(2.0)
    example.context.feature["end_time_seconds"].float_list.value.append(4.0)
    example.context.feature["labels"].int64_list.value.append(7)
    features = [train.Feature(bytes_list=train.BytesList(value=[row.tobytes()])) for row in array]
    example.feature_lists.feature_list["audio_embedding"].feature.extend(features)
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        writer.write(example.SerializeToString(deterministic=True))
    ours = written(tmp_path, source, array, record_fields="audioset")
    assert ours.read_bytes() == (tmp_path / "theirs").read_bytes()


def test_a_list_is_written_as_records(tmp_path: Path) -> None:
    """Through the command line, with a rotation for PCA."""
    np.savez(tmp_path / "pca.npz", pca_eigen_vectors=np.eye(128)[::-1], pca_means=np.full(128, 0.1))
    clip = ROOT / SPEECH
    (tmp_path / "list.csv").write_text(f'path,start,end,name,video_id,labels\n{clip},1,4,a,-0RW,"3,7"\n{clip},2,,b,,\n')
    options = ("checkpoint=random", "device=cpu", "postprocess=pca_8bit", f"pca_params={tmp_path / 'pca.npz'}")
    sink = ("on_extraction=save_tfrecord", "record_fields=audioset", f"output_path={tmp_path}")
    result = run("feature_type=vggish", *options, *sink, f"file_with_video_paths={tmp_path / 'list.csv'}")
    assert result.code == 0, result.stderr
    for name, video_id, start, end, labels, rows in (("a", b"-0RW", 1, 4, [3, 7], 3), ("b", b"b", 2, 19.28, [], 18)):
        values, back = read(tmp_path / f"vggish/{name}_vggish.tfrecord", CONTEXT)
        assert back.shape == (rows, 128)
        assert (values["video_id"], values["start_time_seconds"]) == (video_id, start)
        assert (values["end_time_seconds"], list(values["labels"].values)) == (np.float32(end), labels)


def test_what_tensorflow_writes_is_read(tmp_path: Path) -> None:
    """Records of AudioSet's fields, some of them empty or beyond what our own files have."""
    random = np.random.default_rng(0)
    expected = []
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for number, rows in enumerate((0, 1, 10, 500)):
            labels, start = [-1, 0, 2**63 - 1][:number], float(np.float32(0.1 + number))
            array = random.integers(0, 256, (rows, 128), np.uint8)
            example = tf.train.SequenceExample()
            example.context.feature["video_id"].bytes_list.value.append(f"é{number}".encode())
            example.context.feature["start_time_seconds"].float_list.value.append(start)
            example.context.feature["labels"].int64_list.value.extend(labels)
            lists = example.feature_lists.feature_list["audio_embedding"]
            lists.feature.extend(
                tf.train.Feature(bytes_list=tf.train.BytesList(value=[row.tobytes()])) for row in array
            )
            writer.write(example.SerializeToString())
            expected.append(Clip(f"é{number}", start, tuple(labels), tuple(row.tobytes() for row in array)))
    with (tmp_path / "theirs").open("rb") as file:
        assert [clip(each.payload) for each in records(file)] == expected


def test_the_code_of_the_documentation_reads_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(import tensorflow.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    sink = SaveTFRecordShards(folder="output/vggish", shard_bytes=5000)
    sink.prepare({}, [], {"vggish": np.dtype(np.uint8)}, False)()
    for number in range(1, 20):
        times = np.arange(number)[:, None] + np.array([0, 0.96])
        sink.write(Features(Source("a.mp3", f"clip{number}"), {"vggish": np.zeros((number, 128), np.uint8)}, times))
    sink.finish()
    assert len(list(Path("output/vggish").glob("records-*.tfrecord"))) > 2
    exec(block, {})
    assert capsys.readouterr().out.splitlines() == [f"clip{number} ({number}, 128)" for number in range(1, 20)]
