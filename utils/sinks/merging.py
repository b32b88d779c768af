"""One Parquet table made of what is there and what the journals hold, in bounded memory."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from torch_zoo.utils.files import atomic_write, remove_partial
from torch_zoo.utils.sinks.table_rows import NAME, entries
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

log = logging.getLogger(__name__)

ROW_GROUP_BYTES = 32 << 20  # rows that are gathered before they are written


def merge(path: Path, journals: Sequence[Path]) -> None:
    """Put what the journals hold into the table, then delete them. Raises UsageError, or OSError.

    A journal that is damaged is set aside, with a warning; what comes before the damage counts.
    """
    remove_partial(path.parent, path.name)  # of a merge that was killed
    if not journals:
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    ends = dict.fromkeys(journals, 0)
    latest = {}
    for journal in journals:
        for end, batch in entries(journal):
            latest[batch.schema.metadata[NAME]] = journal, end
            ends[journal] = end
    if schema := _schema(path, journals):
        old = _kept(path, {name.decode() for name in latest})
        new = (
            pa.Table.from_batches([batch]).replace_schema_metadata()
            for journal in journals
            for end, batch in entries(journal)
            if batch.num_rows and latest[batch.schema.metadata[NAME]] == (journal, end)
        )
        # lists whose items are called "item", as in Arrow, so that the table's schema comes back as it was
        layout = {"use_dictionary": ["name", "path"], "use_compliant_nested_type": False, "write_page_checksum": True}
        with atomic_write(path, path.name) as partial, pq.ParquetWriter(partial, schema, **layout) as writer:
            for rows in _gathered(_checked(chain(old, new), schema, path)):
                writer.write_table(rows, row_group_size=rows.num_rows)
    for journal, end in ends.items():
        _remove(journal, end)


def _remove(journal: Path, end: int) -> None:
    """Delete a journal whose entries end there, or set it aside if there is more."""
    if journal.stat().st_size == end:
        journal.unlink()
        return
    aside = journal.with_name(f"{journal.name}.damaged")
    journal.rename(aside)
    log.warning("%s: damaged after %d bytes, and set aside; the sources it lacks are extracted again", aside, end)


def names_and_columns(path: Path) -> tuple[set[str], set[str]]:
    """Of a table; none where it does not exist. Raises UsageError."""
    if not path.exists():
        return set(), set()
    with open_table(path) as table, _damage_named(path):
        batches = table.iter_batches(columns=["name"])
        names = {name for batch in batches for name in batch.column(0).unique().to_pylist()}
        return names, set(table.schema_arrow.names)


def open_table(path: Path) -> pq.ParquetFile:
    """Raises UsageError if it is none that this sink wrote."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path, page_checksum_verification=True)
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist") from error
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path}: damaged, or not a Parquet file; delete it or move it away") from error
    if missing := {"name", "path", "start", "end"} - set(table.schema_arrow.names):
        table.close()
        raise UsageError(f"{path}: not a table of features, it has no column {min(missing)}; move it away")
    return table


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Around what reads pages of the table: those that fail their checksum are an error of the user's file."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path}: damaged; delete it or move it away") from error


def described(schema: pa.Schema) -> str:
    """Its columns of features."""
    return ", ".join(f"{field.name}: {field.type}" for field in list(schema)[4:])


def _schema(path: Path, journals: Sequence[Path]) -> pa.Schema | None:
    """Of the table so far, else of the first rows; None where there are none."""
    if path.exists():
        with open_table(path) as table:
            return table.schema_arrow
    batches = (batch for journal in journals for _, batch in entries(journal) if batch.num_rows)
    return next((batch.schema.remove_metadata() for batch in batches), None)


def _kept(path: Path, replaced: set[str]) -> Iterator[pa.Table]:
    """The rows in the table so far, but for those of the sources named, one row group at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not path.exists():
        return
    gone = pa.array(sorted(replaced), pa.string())
    with open_table(path) as table, _damage_named(path):
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
