"""Features as TFRecord files, as Google publishes VGGish embeddings."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal

import numpy as np

from torch_zoo.utils.sinks.containers.container import Container
from torch_zoo.utils.sinks.containers.samples import columns_of
from torch_zoo.utils.sinks.containers.shards import Limit, of_bytes
from torch_zoo.utils.sinks.containers.sink import ContainerSink
from torch_zoo.utils.sinks.containers.tfrecord import TFRecord
from torch_zoo.utils.sinks.files import FileSink
from torch_zoo.utils.tfrecords.audioset import END, FEATURE_LIST, LABELS, START, VIDEO_ID
from torch_zoo.utils.tfrecords.records import is_one_record, record
from torch_zoo.utils.tfrecords.sequence_example import bytes_feature, encode, feature_list, float_feature, int64_feature
from torch_zoo.utils.types import Commit, Features, Source, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

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
        _check_arrays({key: arrays[key] for key in self.stored(arrays)})
        if self.record_fields == "audioset":
            _check_columns(sources)
        return super().prepare({**settings, "record_fields": self.record_fields}, sources, arrays, overwrite)

    def write(self, features: Features) -> str:
        context = _context(features) if self.record_fields == "audioset" else {}
        stored = {key: features.arrays[key] for key in self.stored(features.arrays)}
        encoded = {key: encode(context, {FEATURE_LIST: _rows(array)}) for key, array in stored.items()}
        records = {key: np.frombuffer(record(payload), np.uint8) for key, payload in encoded.items()}
        return super().write(replace(features, arrays=records))

    def save(self, arrays: Mapping[str, np.ndarray], file: BinaryIO) -> None:
        """The array holds the bytes of a record."""
        [array] = arrays.values()
        file.write(array.data)

    def is_complete(self, file: BinaryIO, rows: Mapping[str, np.dtype]) -> bool:
        return is_one_record(file.read())


@dataclass(frozen=True, kw_only=True)
class SaveTFRecordShards(ContainerSink):
    """`records-000000.tfrecord` and so on, of many sources each, with the fields of AudioSet's records."""

    stem: ClassVar[str] = "records"
    container: ClassVar[Container] = TFRecord()

    shard_bytes: int = 64_000_000

    def __post_init__(self) -> None:
        self.limit  # noqa: B018 - raises UsageError if it is none

    @property
    def limit(self) -> Limit:
        return of_bytes(self.shard_bytes)

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        _check_arrays(arrays)
        if len(arrays) > 1:
            raise UsageError(f"a record holds one array, and there are {', '.join(arrays)}; save_tfrecord stores each")
        _check_columns(sources)
        return super().prepare(settings, sources, arrays, overwrite)

    def encode(self, features: Features) -> Mapping[str, pa.Array]:
        [array] = features.arrays.values()
        return columns_of({**_context(features), FEATURE_LIST: _rows(array)} if len(array) else {})


def _check_arrays(arrays: Mapping[str, np.dtype]) -> None:
    for key, row in arrays.items():
        if row.base != np.uint8:
            raise UsageError(
                f"a TFRecord stores 8-bit embeddings, and {key} is {row.base}; for VGGish give "
                "postprocess=pca_8bit or preset=audioset, without pooling, else choose another on_extraction"
            )


def _check_columns(sources: Sequence[Source]) -> None:
    """Of the list, which the records get."""
    for source in sources:
        _labels(source)
    if sources and not any(VIDEO_ID in source.columns for source in sources):
        log.warning("the list has no column %s; the names stand for it", VIDEO_ID)


def _rows(array: np.ndarray) -> bytes:
    """uint8 (T, D) -> a list of T features."""
    return feature_list(bytes_feature(row.tobytes()) for row in array)


def _context(features: Features) -> dict[str, bytes]:
    """The fields that the AudioSet release has for a clip, by name."""
    source = features.source
    last = features.times[-1, 1] if len(features.times) else source.start
    return {
        VIDEO_ID: bytes_feature(source.columns.get(VIDEO_ID, source.name).encode(errors="surrogateescape")),
        START: float_feature(source.start),
        END: float_feature(last if source.end is None else source.end),
        LABELS: int64_feature(_labels(source)),
    }


def _labels(source: Source) -> list[int]:
    """Class numbers, in the order of the list. Raises UsageError."""
    words = re.findall(r"[^\s,;]+", source.columns.get(LABELS, ""))
    for word in words:
        if not re.fullmatch(r"[0-9]{1,19}", word) or int(word) > LARGEST_LABEL:
            raise UsageError(f"{source.path} ({source.name}): labels={word}: must be class numbers, e.g. 1 522 11")
    return [int(word) for word in words]
