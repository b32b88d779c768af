"""TFRecord files are Google's to the byte; tests/with_tensorflow reads them with TensorFlow itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from torch_zoo.utils.sinks.tfrecord import SaveTFRecord
from torch_zoo.utils.tfrecords.records import is_one_record, record
from torch_zoo.utils.tfrecords.sequence_example import int64_feature
from torch_zoo.utils.types import Features, Source, UsageError

ROWS = np.stack([np.arange(128), 255 - 3 * np.arange(128)]).astype(np.uint8)  # of both golden files
TIMES = np.array([[420.0, 425.0], [425.0, 430.0]])
CLIP = Source("clip.mp4", "clip")
KEYS = {"vggish": np.dtype(np.uint8)}


def written(folder: Path, source: Source, rows: np.ndarray = ROWS, **options: Any) -> bytes:
    sink = SaveTFRecord(folder=str(folder), **options)
    sink.write(Features(source, {"vggish": rows}, TIMES[: len(rows)]))
    sink.finish()
    return (folder / f"{source.name}_vggish.tfrecord").read_bytes()


def test_the_layout_of_the_inference_demo_to_the_byte(tmp_path: Path, golden: Path) -> None:
    assert written(tmp_path, CLIP) == (golden / "vggish_inference_demo_2rows.tfrecord").read_bytes()


@pytest.mark.parametrize("labels", ["1,522,11,172", "1; 522; 11; 172", " 1 522\t11 172"])
def test_the_layout_of_audioset_to_the_byte(labels: str, tmp_path: Path, golden: Path) -> None:
    theirs = (golden / "audioset_style_2rows.tfrecord").read_bytes()
    source = Source("clip.mp4", "clip", 420.0, 430.0, {"video_id": "-0RWZT-miFs", "labels": labels})
    assert written(tmp_path, source, record_fields="audioset") == theirs
    without = Source("clip.mp4", "-0RWZT-miFs", 420.0, None, {"labels": labels})  # name and last window stand in
    assert written(tmp_path, without, record_fields="audioset") == theirs


def test_the_checksum_is_crc_32c() -> None:
    """By its definition: https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4, 32 zero bytes have 0x8A9136AA."""
    crc = 0x8A9136AA
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert record(bytes(32))[-4:] == masked.to_bytes(4, "little")


def test_numbers_are_varints() -> None:
    """300 = 0b10_0101100 is the example of protobuf's own encoding guide: ac 02."""
    assert int64_feature([300, 2**63 - 1]).hex() == "1a0d" + "0a0b" + "ac02" + "ff" * 8 + "7f"


def test_what_is_damaged_anywhere_is_not_complete(tmp_path: Path) -> None:
    content = written(tmp_path, CLIP)
    sink, path = SaveTFRecord(folder=str(tmp_path)), tmp_path / "clip_vggish.tfrecord"
    assert sink.has(CLIP, KEYS)
    for place in range(len(content)):
        assert not is_one_record(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    for damaged in (b"", content[:15], content[:-1], content + b"\0", content * 2):
        path.write_bytes(damaged)
        assert not sink.has(CLIP, KEYS)


def test_a_source_without_windows_has_a_list_without_features(tmp_path: Path) -> None:
    content = written(tmp_path, CLIP, ROWS[:0])
    assert is_one_record(content)
    assert content[12:-4] == b"\x12\x15\n\x13\n\x0faudio_embedding\x12\x00"
    assert SaveTFRecord(folder=str(tmp_path)).has(CLIP, KEYS)
    assert is_one_record(written(tmp_path, CLIP, ROWS[:0], record_fields="audioset"))


def test_arrays_of_other_types_are_refused_before_the_run(tmp_path: Path) -> None:
    sink = SaveTFRecord(folder=str(tmp_path / "new"))
    with pytest.raises(UsageError, match=r"8-bit embeddings, and vggish is float32; for VGGish give"):
        sink.prepare({}, [CLIP], {"vggish": np.dtype(np.float32)}, False)()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("label", ["/m/09x0r", "-1", "1.5", "9" * 19, "9" * 5000, "१"], ids=lambda label: label[:8])
def test_labels_that_are_no_class_numbers_are_refused_before_the_run(label: str, tmp_path: Path) -> None:
    source = Source("clip.mp4", "clip_2", columns={"labels": f"3,{label}"})
    with pytest.raises(UsageError) as raised:
        SaveTFRecord(folder=str(tmp_path), record_fields="audioset").prepare({}, [CLIP, source], KEYS, False)()
    assert str(raised.value).startswith(f"clip.mp4 (clip_2): labels={label}: must be class numbers")
    SaveTFRecord(folder=str(tmp_path)).prepare({}, [CLIP, source], KEYS, False)()  # other records have none


def test_records_of_other_fields_do_not_share_a_folder(tmp_path: Path) -> None:
    sink = SaveTFRecord(folder=str(tmp_path))
    sink.prepare({"checkpoint": "x"}, [CLIP], KEYS, False)()
    recorded = yaml.safe_load((tmp_path / "extraction.yaml").read_text())
    assert recorded == {"checkpoint": "x", "record_fields": "embeddings"}
    written(tmp_path, CLIP)
    with pytest.raises(UsageError, match=r"record_fields=embeddings \(now audioset\)"):
        SaveTFRecord(folder=str(tmp_path), record_fields="audioset").prepare({"checkpoint": "x"}, [CLIP], KEYS, False)()
