"""Features as TFRecord files, as Google publishes VGGish embeddings."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, ClassVar, Literal

import numpy as np

from torch_zoo.utils.sinks.files import FileSink
from torch_zoo.utils.sinks.sequence_example import (
    bytes_feature,
    float_feature,
    int64_feature,
    is_one_record,
    record,
    sequence_example,
)
from torch_zoo.utils.types import Commit, Features, Source, UsageError

log = logging.getLogger(__name__)

FEATURE_LIST = "audio_embedding"
LABELS, VIDEO_ID = "labels", "video_id"  # columns of the list that record_fields=audioset takes
LARGEST_LABEL = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class SaveTFRecord(FileSink):
    """One SequenceExample per file, with a feature list of 8-bit rows; `record_fields` as in save_tfrecord.yaml."""

    suffix: ClassVar[str] = ".tfrecord"
    least_bytes: ClassVar[int] = 16  # of a record without a payload

    record_fields: Literal["embeddings", "audioset"] = "embeddings"

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        for key in self.stored(arrays):
            if (row := arrays[key]).base != np.uint8:
                raise UsageError(
                    f"save_tfrecord stores 8-bit embeddings, and {key} is {row.base}; for VGGish give "
                    "postprocess=pca_8bit or preset=audioset, without pooling, else choose another on_extraction"
                )
        if self.record_fields == "audioset":
            for source in sources:
                _labels(source)
            if not any(VIDEO_ID in source.columns for source in sources):
                log.warning("record_fields=audioset: the list has no column %s; the names stand for it", VIDEO_ID)
        return super().prepare({**settings, "record_fields": self.record_fields}, sources, arrays, overwrite)

    def write(self, features: Features) -> str:
        context = _context(features) if self.record_fields == "audioset" else {}
        stored = {key: features.arrays[key] for key in self.stored(features.arrays)}
        records = {key: np.frombuffer(_encoded(array, context), np.uint8) for key, array in stored.items()}
        return super().write(replace(features, arrays=records))

    def save(self, arrays: Mapping[str, np.ndarray], file: BinaryIO) -> None:
        """The array holds the bytes of a record."""
        [array] = arrays.values()
        file.write(array.data)

    def is_complete(self, file: BinaryIO, rows: Mapping[str, np.dtype]) -> bool:
        return is_one_record(file.read())


def _encoded(array: np.ndarray, context: Mapping[str, bytes]) -> bytes:
    """uint8 (T, D) -> a record."""
    return record(sequence_example(context, {FEATURE_LIST: (bytes_feature(row.tobytes()) for row in array)}))


def _context(features: Features) -> dict[str, bytes]:
    """The fields that the AudioSet release has for a clip, by name."""
    source = features.source
    last = features.times[-1, 1] if len(features.times) else source.start
    return {
        "video_id": bytes_feature(source.columns.get(VIDEO_ID, source.name).encode(errors="surrogateescape")),
        "start_time_seconds": float_feature(source.start),
        "end_time_seconds": float_feature(last if source.end is None else source.end),
        "labels": int64_feature(_labels(source)),
    }


def _labels(source: Source) -> list[int]:
    """Class numbers, in the order of the list. Raises UsageError."""
    words = re.findall(r"[^\s,;]+", source.columns.get(LABELS, ""))
    for word in words:
        if not re.fullmatch(r"[0-9]{1,19}", word) or int(word) > LARGEST_LABEL:
            raise UsageError(f"{source.path} ({source.name}): labels={word}: must be class numbers, e.g. 1 522 11")
    return [int(word) for word in words]
