"""One Parquet table made of what is there and what the journals hold, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.sinks.journal import read
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW_GROUP_BYTES = 32 << 20  # rows that are gathered before they are written
NAME = b"name"  # in the metadata of a batch: its source, also where that has no row


def merge(path: Path, journals: Sequence[Path]) -> None:
    """Put what the journals hold into the table, then delete them. Raises UsageError, or OSError."""
    for partial in path.parent.glob(f".{path.name}.*.part"):
        partial.unlink()  # of a merge that was killed
    if not journals:
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    latest = {batch.schema.metadata[NAME]: (journal, at) for journal in journals for at, batch in _numbered(journal)}
    if schema := _schema(path, journals):
        old = _kept(path, {name.decode() for name in latest})
        new = (
            pa.Table.from_batches([batch]).replace_schema_metadata()
            for journal in journals
            for at, batch in _numbered(journal)
            if batch.num_rows and latest[batch.schema.metadata[NAME]] == (journal, at)
        )
        # lists whose items are called "item", as in Arrow, so that the table's schema comes back as it was
        layout = {"use_dictionary": ["name", "path"], "use_compliant_nested_type": False}
        with atomic_write(path) as partial, pq.ParquetWriter(partial, schema, **layout) as writer:
            for rows in _gathered(_checked(chain(old, new), schema, path)):
                writer.write_table(rows, row_group_size=rows.num_rows)
    for journal in journals:
        journal.unlink()


def open_table(path: Path) -> pq.ParquetFile:
    """Raises UsageError if it is none that this sink wrote."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist") from error
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path}: damaged, or not a Parquet file; delete it or move it away") from error
    if missing := {"name", "path", "start", "end"} - set(table.schema_arrow.names):
        table.close()
        raise UsageError(f"{path}: not a table of features, it has no column {min(missing)}; move it away")
    return table


def described(schema: pa.Schema) -> str:
    """Its columns of features."""
    return ", ".join(f"{field.name}: {field.type}" for field in list(schema)[4:])


def _schema(path: Path, journals: Sequence[Path]) -> pa.Schema | None:
    """Of the table so far, else of the first rows; None where there are none."""
    if path.exists():
        with open_table(path) as table:
            return table.schema_arrow
    return next((rows.schema.remove_metadata() for each in journals for rows in read(each) if rows.num_rows), None)


def _numbered(journal: Path) -> Iterator[tuple[int, pa.RecordBatch]]:
    return enumerate(read(journal))


def _kept(path: Path, replaced: set[str]) -> Iterator[pa.Table]:
    """The rows in the table so far, but for those of the sources named, one row group at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not path.exists():
        return
    gone = pa.array(sorted(replaced), pa.string())
    with open_table(path) as table:
        for group in range(table.num_row_groups):
            rows = table.read_row_group(group)
            yield rows.filter(pc.invert(pc.is_in(rows["name"], gone)))


def _checked(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> Iterator[pa.Table]:
    for table in tables:
        if not table.schema.equals(schema):
            raise UsageError(
                f"{path} can't hold both {described(table.schema)} and {described(schema)}; move it away, or "
                "choose another output_path"
            )
        yield table


def _gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
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
