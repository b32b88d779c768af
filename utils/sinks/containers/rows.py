"""Features as rows of a table, one per window."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from torch_zoo.utils.sinks.containers.entries import utf8
from torch_zoo.utils.types import Features, Source, UsageError
from torch_zoo.utils.urls import without_secrets

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("name", "path", "start", "end")  # of every table; then those of the list, then the features


def columns(keys: Collection[str]) -> dict[str, str]:
    """The column of each key."""
    return {key: key if len(keys) > 1 else "embedding" for key in keys}


def listed_columns(sources: Sequence[Source], taken: Collection[str]) -> tuple[str, ...]:
    """Those that the list has besides, of which each source may have some. Raises UsageError if one is taken."""
    listed = tuple(dict.fromkeys(column for source in sources for column in source.columns))
    for column in listed:
        if column in taken or column in COLUMNS:
            raise UsageError(f"the list has a column {column}, which the table needs for itself; give it another name")
    return listed


def of_features(features: Features, listed: Sequence[str]) -> dict[str, pa.Array]:
    """One row per window; an array that has not one per window is repeated."""
    number = len(features.times)
    named = columns(features.arrays)
    repeated = {
        named[key]: array if array.shape[:1] == (number,) else np.broadcast_to(array, (number, *array.shape))
        for key, array in features.arrays.items()
    }
    return {
        **source_columns(features.source, features.times, listed),
        **{column: _column(array) for column, array in repeated.items()},
    }


def source_columns(source: Source, times: np.ndarray, listed: Sequence[str]) -> dict[str, pa.Array]:
    """The columns that say which source and seconds a row is of; of the list's, null where it says nothing."""
    import pyarrow as pa

    def repeated(value: str | None) -> pa.Array:
        return pa.repeat(pa.scalar(None if value is None else utf8(value), pa.string()), len(times))

    own: Mapping[str, str] = source.columns
    return {
        "name": repeated(source.name),
        "path": repeated(without_secrets(source.path)),
        "start": pa.array(times[:, 0], pa.float64()),
        "end": pa.array(times[:, 1], pa.float64()),
        **{column: repeated(own.get(column)) for column in listed},
    }


def _column(array: np.ndarray) -> pa.Array:
    """(n,) -> numbers, (n, d) -> lists of d numbers, (n, d, e) -> lists of lists."""
    import pyarrow as pa

    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for size in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column
