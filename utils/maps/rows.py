"""Rows of one or several tables of features: what they are of, and their vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import yaml

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers.parquet import open_table
from torch_zoo.utils.sinks.containers.rows import COLUMNS
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

SUFFIX = ".parquet"
FEWEST = 3  # rows that make a map
OF_FRAMES = {"color_matrix", "extraction_fps", "fps_method"}  # settings that only features of frames have


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """n rows, in the order of the tables."""

    names: list[str]
    paths: list[str]
    times: np.ndarray  # (n, 2) float64, start and end, s
    listed: Mapping[str, list[str]]  # columns that came from the list; "" where it says nothing
    vectors: np.ndarray  # (n, d)
    features: str  # which they are, with which weights, for people
    of_frames: bool  # or of sound


def read_rows(tables: Sequence[str], column: str = "") -> Rows:
    """Read tables of on_extraction=save_table: Parquet files, or folders of them. Raises UsageError.

    `column` holds the vectors; "" means the first column that has any.
    """
    import pyarrow as pa

    files = [file for table in tables for file in _files(table)]
    parts, described = [], {}
    for path in files:
        with open_table(path) as table:
            column = _column(table, column, path)
            listed = [each.name for each in table.schema_arrow if pa.types.is_string(each.type)]
            parts.append(table.read(columns=list(dict.fromkeys([*COLUMNS, *listed, column]))))
            described[path] = _settings(table)
        _check_same(path, parts, described, files[0], column)
    rows = pa.concat_tables(parts, promote_options="default")
    if rows.num_rows < FEWEST:
        raise UsageError(
            f"{files[0]} has {rows.num_rows} rows; a map needs {FEWEST} or more (pooling=null gives one per window)"
        )
    vectors = rows[column].combine_chunks()
    while pa.types.is_fixed_size_list(vectors.type):
        vectors = vectors.flatten()
    settings = described[files[0]]
    return Rows(
        names=rows["name"].to_pylist(),
        paths=rows["path"].to_pylist(),
        times=np.stack([rows["start"].to_numpy(), rows["end"].to_numpy()], axis=1),
        listed={
            name: [value or "" for value in rows[name].to_pylist()]
            for name in rows.column_names
            if name not in COLUMNS and name != column
        },
        vectors=vectors.to_numpy(zero_copy_only=False).reshape(rows.num_rows, -1),
        features=_described(files[0], column, settings),
        of_frames=bool(OF_FRAMES & settings.keys()),
    )


def _files(table: str) -> list[str]:
    if table.endswith(SUFFIX):
        return [table]
    try:
        listed = sorted(storage.listing(table))
    except OSError as error:
        raise UsageError(f"{table}: {storage.reason(error)}") from error
    names = [name for name in listed if name.endswith(SUFFIX) and "/" not in name and not name.startswith(".")]
    if not names:
        raise UsageError(f"{table}: neither a {SUFFIX} file nor a folder of them")
    return [storage.join(table, name) for name in names]


def _column(table: pq.ParquetFile, column: str, path: str) -> str:
    import pyarrow as pa

    available = [field.name for field in table.schema_arrow if pa.types.is_fixed_size_list(field.type)]
    if not available or (column and column not in available):
        listed = ", ".join(available) or "none"
        raise UsageError(f"{path}: no column of vectors named {column!r}; available: {listed}")
    return column or available[0]


def _settings(table: pq.ParquetFile) -> Mapping[str, object]:
    """What the file says of its extraction."""
    with suppress(yaml.YAMLError):
        settings = yaml.safe_load((table.schema_arrow.metadata or {}).get(b"extraction", b""))
        if isinstance(settings, dict):
            return settings
    return {}


def _check_same(
    path: str, parts: Sequence[pa.Table], described: Mapping[str, Mapping[str, object]], first: str, column: str
) -> None:
    """Vectors of two networks have no distance."""
    kinds = [part.schema.field(column).type for part in (parts[0], parts[-1])]
    if kinds[0] != kinds[1]:
        raise UsageError(f"{path}: {column} is {kinds[1]}, but {kinds[0]} in {first}; map one of them at a time")
    weights = [described[each].get("checkpoint") for each in (first, path)]
    if weights[0] != weights[1]:
        raise UsageError(f"{path}: other weights than those of {first}; map one of them at a time")


def _described(path: str, column: str, settings: Mapping[str, object]) -> str:
    """E.g. `vggish (random, seed 0)`: the folder, the column if it has a name of its own, and the weights."""
    weights = settings.get("checkpoint")
    if isinstance(weights, dict):  # of each stream
        weights = weights.get(column) or ", ".join(map(str, weights.values()))
    folder = PurePosixPath(path).parent.name
    names = [folder] * bool(folder) + [column] * (column not in ("embedding", folder))
    return (" ".join(names) or column) + (f" ({weights})" if weights else "")
