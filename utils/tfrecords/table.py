"""Records of clips as a table of features, one row per window, as on_extraction=save_table writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers.entries import utf8
from torch_zoo.utils.sinks.containers.parquet import new_table
from torch_zoo.utils.sinks.containers.tables import gathered
from torch_zoo.utils.tfrecords.audioset import ROW_BYTES, WINDOW_SECONDS, Clip, clip
from torch_zoo.utils.tfrecords.records import DamagedError, records
from torch_zoo.utils.urls import without_secrets
from torch_zoo.utils.windows import spans

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 16_384

Labels = Callable[[Sequence[int]], str]  # class numbers, of one or more classes -> what the table says of them


@dataclass(slots=True)
class Converted:
    """What came of some files."""

    clips: int = 0
    rows: int = 0
    failed: list[str] = field(default_factory=list)  # messages, which name file, record and byte


def write_table(file: BinaryIO, paths: Iterable[str], hop_seconds: float, labels: Labels) -> Converted:
    """Write the clips of all files; of one that is damaged, those before the damage. Raises OSError.

    `hop_seconds` is the time from one row of a clip to the next.
    """
    converted = Converted()
    with new_table(file, _schema()) as table:
        for part in gathered(_tables(_clips(paths, converted), hop_seconds, labels)):
            table.write_table(part, row_group_size=part.num_rows)
            converted.rows += part.num_rows
    return converted


def _clips(paths: Iterable[str], converted: Converted) -> Iterator[tuple[str, Clip]]:
    """File and clip."""
    for path in paths:
        try:
            with storage.open_read(path) as file:
                for number, offset, payload in records(file):
                    try:
                        yield path, clip(payload)
                    except ValueError as error:
                        raise DamagedError(number, offset, str(error)) from error
                    converted.clips += 1
        except DamagedError as error:
            converted.failed.append(f"{without_secrets(path)}: {error}")
        except OSError as error:
            converted.failed.append(f"{without_secrets(path)}: {storage.reason(error)}")


def _tables(clips: Iterable[tuple[str, Clip]], hop_seconds: float, labels: Labels) -> Iterator[pa.Table]:
    """Tables of many clips each."""
    waiting: list[tuple[str, Clip]] = []
    rows = 0
    for each in clips:
        waiting.append(each)
        rows += len(each[1].rows)
        if rows >= ROWS_AT_ONCE:
            yield _table(waiting, hop_seconds, labels)
            waiting, rows = [], 0
    if rows:
        yield _table(waiting, hop_seconds, labels)


def _table(clips: Sequence[tuple[str, Clip]], hop_seconds: float, labels: Labels) -> pa.Table:
    import pyarrow as pa

    rows = np.array([len(each.rows) for _, each in clips])
    times = np.concatenate([spans(0, len(each.rows), WINDOW_SECONDS, hop_seconds, each.start) for _, each in clips])
    strings = {
        "name": [utf8(each.name) for _, each in clips],
        "path": [utf8(without_secrets(path)) for path, _ in clips],
        "labels": [labels(each.labels) if each.labels else None for _, each in clips],
    }
    of_rows = pa.array(np.repeat(np.arange(len(clips)), rows))
    columns = {name: pa.array(values, pa.string()).take(of_rows) for name, values in strings.items()}
    columns |= {"start": pa.array(times[:, 0]), "end": pa.array(times[:, 1])}
    embeddings = np.frombuffer(b"".join(row for _, each in clips for row in each.rows), np.uint8)
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(pa.array(embeddings), ROW_BYTES)
    return pa.table(columns, schema=_schema())


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        {
            "name": pa.string(),
            "path": pa.string(),
            "start": pa.float64(),
            "end": pa.float64(),
            "labels": pa.string(),
            "embedding": pa.list_(pa.uint8(), ROW_BYTES),
        }
    )
