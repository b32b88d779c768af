"""Arrow tables on their way to a file: columns made equal, small ones joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from torch_zoo.utils.sinks.containers.rows import COLUMNS
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

# Uncompressed, e.g. 65,536 rows of 128 float32: threads of DuckDB and Polars read a group each, so it must not be
# small beside what opening one costs, and `datasets` and Lance load whole groups, so it must fit in memory many times.
ROW_GROUP_BYTES = 32 << 20


def feature_columns(schema: pa.Schema) -> str:
    """Its columns of features."""
    import pyarrow as pa

    return ", ".join(f"{each.name}: {each.type}" for each in list(schema)[len(COLUMNS) :] if each.type != pa.string())


def united(one: pa.Schema | None, other: pa.Schema, path: str) -> pa.Schema:
    """The columns of both, which may differ in what the list says of the sources. Raises UsageError."""
    import pyarrow as pa

    if one is None or one.equals(other):
        return other
    own, added = set(one.names), [each for each in other if each.name not in one.names]
    united = pa.schema([*one, *added])
    apart = [each for each in united if (each.name in own) != (each.name in other.names)]
    if any(each.type != pa.string() for each in apart) or any(united.field(each.name) != each for each in other):
        raise UsageError(
            f"{path} can't hold both {feature_columns(other)} and {feature_columns(one)}; move it away, or choose "
            "another output_path"
        )
    return united


def filled(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """With a null for what the list did not say then."""
    import pyarrow as pa

    if table.schema.equals(schema):
        return table.replace_schema_metadata()
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(schema.names).replace_schema_metadata()


def gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Small tables joined to larger ones."""
    import pyarrow as pa

    held: list[pa.Table] = []
    held_bytes = 0
    for table in tables:
        held.append(table)
        held_bytes += table.nbytes
        if held_bytes >= ROW_GROUP_BYTES:
            yield pa.concat_tables(held)
            held, held_bytes = [], 0
    if held_bytes:
        yield pa.concat_tables(held)
