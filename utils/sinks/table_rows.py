"""Rows of a table, as Arrow record batches: one batch per source, and a journal of them, one IPC stream per batch."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from torch_zoo.utils.types import Features

if TYPE_CHECKING:
    import pyarrow as pa

JOURNALS = "embeddings.*.journal"  # not hidden: they hold features
NAME = b"name"  # in the metadata of a batch: its source, also where that has no row


def columns(keys: Collection[str]) -> dict[str, str]:
    """The column of each key."""
    return {key: key if len(keys) > 1 else "embedding" for key in keys}


def utf8(name: str) -> str:
    """Parquet holds UTF-8 only: bytes of a file name that are none are escaped."""
    return name.encode(errors="backslashreplace").decode()


def rows(features: Features) -> pa.RecordBatch:
    """One row per window; an array that has not one per window is repeated."""
    import pyarrow as pa

    source, number = features.source, len(features.times)
    named = columns(features.arrays)
    repeated = {
        named[key]: array if array.shape[:1] == (number,) else np.broadcast_to(array, (number, *array.shape))
        for key, array in features.arrays.items()
    }
    values = {
        "name": pa.repeat(pa.scalar(utf8(source.name), pa.string()), number),
        "path": pa.repeat(pa.scalar(utf8(source.path), pa.string()), number),
        "start": pa.array(features.times[:, 0], pa.float64()),
        "end": pa.array(features.times[:, 1], pa.float64()),
        **{column: _column(array) for column, array in repeated.items()},
    }
    return pa.RecordBatch.from_pydict(values, metadata={NAME: utf8(source.name).encode()})


def entry(batch: pa.RecordBatch) -> memoryview:
    """An entry of a journal."""
    import pyarrow as pa

    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, batch.schema) as stream:
        stream.write_batch(batch)
    return memoryview(buffer.getvalue())


def entries(journal: Path) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The complete entries, with the byte where each ends; not loaded, but in the mapped file."""
    import pyarrow as pa

    if not journal.stat().st_size:
        return  # an empty file can't be mapped
    with pa.memory_map(str(journal)) as file:
        while file.tell() < file.size():
            try:
                with pa.ipc.open_stream(file) as stream:
                    batch = stream.read_next_batch()
                    next(stream, None)  # steps over the mark at its end
                batch.validate(full=True)
                batch.schema.metadata[NAME].decode()
            except Exception:  # whatever damage makes Arrow raise; its process may also have been killed here
                return
            yield file.tell(), batch


def _column(array: np.ndarray) -> pa.Array:
    """(n,) -> numbers, (n, d) -> lists of d numbers, (n, d, e) -> lists of lists."""
    import pyarrow as pa

    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for size in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column
