"""Parquet files of many sources, read and written in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers.container import Container, Kept, by_name
from torch_zoo.utils.sinks.containers.entries import name_of, origin_of
from torch_zoo.utils.sinks.containers.rows import COLUMNS, columns
from torch_zoo.utils.sinks.containers.tables import feature_columns, filled, gathered, united
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

SOURCES = b"sources"  # in the metadata of a file: the record of origins


class Parquet(Container):
    """One row per row of the arrays; columns as the entries have them."""

    suffix: ClassVar[str] = ".parquet"

    def sources(self, path: str) -> dict[str, bytes]:
        with open_table(path) as table:
            if lines := (table.metadata.metadata or {}).get(SOURCES):
                return by_name(lines, path)
            batches = table.iter_batches(columns=["name"])
            return {name: b"" for batch in batches for name in batch.column(0).unique().to_pylist()}

    def write(self, file: BinaryIO, new: Iterable[pa.RecordBatch], about: Mapping[str, str], kept: Kept | None) -> None:
        import pyarrow as pa

        schema: pa.Schema | None = None
        lines: dict[str, bytes] = {}
        if kept:
            with open_table(kept.path) as table:
                schema = table.schema_arrow.remove_metadata()
                before = by_name((table.metadata.metadata or {}).get(SOURCES, b""), kept.path)
            lines = {name: line for name, line in before.items() if name not in kept.without}
        for entry in new:
            schema = united(schema, entry.schema.remove_metadata(), kept.path if kept else "a table")
            lines[name_of(entry)] = origin_of(entry)
        if schema is None:
            return
        added = (pa.Table.from_batches([entry]).replace_schema_metadata() for entry in new)
        with new_table(file, schema.with_metadata(dict(about))) as writer:
            for rows in gathered(filled(table, schema) for table in chain(_rows(kept), added)):
                writer.write_table(rows, row_group_size=rows.num_rows)
            if any(lines.values()):
                writer.add_key_value_metadata({SOURCES: b"".join(lines.values())})

    def check(self, path: str, arrays: Mapping[str, np.dtype]) -> None:
        import pyarrow as pa

        with open_table(path) as table:
            schema = table.schema_arrow
        for key, column in columns(arrays).items():
            kind = schema.field(column).type if column in schema.names else None
            sizes = []
            while kind and pa.types.is_fixed_size_list(kind):
                sizes.append(kind.list_size)
                kind = kind.value_type
            row = arrays[key]
            if kind != pa.from_numpy_dtype(row.base) or (row.shape and tuple(sizes) != row.shape):
                raise UsageError(
                    f"{path} holds {feature_columns(schema)}, not {column}: {row.base}{list(row.shape)}; move it "
                    "away, or choose another output_path"
                )


def new_table(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    import pyarrow.parquet as pq

    return pq.ParquetWriter(
        file,
        schema,
        use_dictionary=["name", "path"],
        use_compliant_nested_type=False,  # items of lists are called "item", as in Arrow: the schema comes back
        write_page_checksum=True,
    )


@contextmanager
def open_table(path: str) -> Iterator[pq.ParquetFile]:
    """A table of features. Raises UsageError if it is none or if, while it is read, it turns out to be damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with storage.open_read(path) as file:
            try:
                table = pq.ParquetFile(file, page_checksum_verification=True)
            except pa.ArrowException as error:
                raise UsageError(f"{path}: damaged, or not a Parquet file; delete it or move it away") from error
            if missing := set(COLUMNS) - set(table.schema_arrow.names):
                raise UsageError(f"{path}: not a table of features, it has no column {min(missing)}; move it away")
            yield table
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist") from error
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise UsageError(f"{path}: {storage.reason(error)}") from error
        raise UsageError(f"{path}: damaged; delete it or move it away") from error


def _rows(kept: Kept | None) -> Iterator[pa.Table]:
    """What is kept of a table, one row group at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not kept:
        return
    gone = pa.array(sorted(kept.without), pa.string())
    with open_table(kept.path) as table:
        for group in range(table.num_row_groups):
            rows = table.read_row_group(group)
            yield rows.filter(pc.invert(pc.is_in(rows["name"], gone)))
