"""TFRecord files with a SequenceExample per source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers.container import Container, Kept
from torch_zoo.utils.sinks.containers.entries import name_of, origin_of
from torch_zoo.utils.sinks.containers.samples import read
from torch_zoo.utils.tfrecords.audioset import FEATURE_LIST, NAME
from torch_zoo.utils.tfrecords.records import DamagedError, record, records
from torch_zoo.utils.tfrecords.sequence_example import bytes_feature, context_of, encode, only
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

SOURCE = "source"  # in the context: the line of the record of origins


class TFRecord(Container):
    """The pieces of an entry are encoded features; the context also gets the name and the origin of the source."""

    suffix: ClassVar[str] = ".tfrecord"

    def sources(self, path: str) -> dict[str, bytes]:
        return {name: line for name, line, _ in _read(path)}

    def write(self, file: BinaryIO, new: Iterable[pa.RecordBatch], about: Mapping[str, str], kept: Kept | None) -> None:
        """The settings are not repeated in each shard; `extraction.yaml` is beside them."""
        for name, _, payload in _read(kept.path) if kept else ():
            if kept and name not in kept.without:
                file.write(record(payload))
        for entry in new:
            context = {NAME: name_of(entry).encode(), SOURCE: origin_of(entry)}
            pieces = {**read(entry), **{name: bytes_feature(value) for name, value in context.items()}}
            lists = {FEATURE_LIST: pieces.pop(FEATURE_LIST)}
            file.write(record(encode(pieces, lists)))


def _read(path: str) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, origin and payload of each record. Raises UsageError."""
    try:
        with storage.open_read(path) as file:
            for number, offset, payload in records(file):
                try:
                    context = context_of(payload)
                    name, line = (only(context[key], bytes, key) for key in (NAME, SOURCE))
                    yield name.decode(), line, payload
                except (ValueError, KeyError) as error:
                    raise DamagedError(number, offset, "not the features of a source") from error
    except DamagedError as error:
        raise UsageError(f"{path}: {error}; delete it or move it away") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({storage.reason(error)})") from error
