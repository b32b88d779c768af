"""CSV files of many sources: rows of strings and numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, ClassVar, TextIO

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers.container import Container, Kept
from torch_zoo.utils.sinks.containers.tables import filled, united
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa


NAME = "name"  # the column of names


class CSV(Container):
    """RFC 4180, UTF-8, with a header; an empty field is a null. It has no types, so kept rows are copied as text."""

    suffix: ClassVar[str] = ".csv"

    def sources(self, path: str) -> dict[str, bytes]:
        records = _records(path)
        header, _ = next(records)
        name = header.index(NAME)
        return {fields[name]: b"" for fields, _ in records}

    def write(self, file: BinaryIO, new: Iterable[pa.RecordBatch], about: Mapping[str, str], kept: Kept | None) -> None:
        import pyarrow as pa
        import pyarrow.csv

        schema: pa.Schema | None = None
        for entry in new:
            schema = united(schema, entry.schema.remove_metadata(), kept.path if kept else "a table")
        if kept:
            records = _records(kept.path)
            header, _ = next(records)
            types = {each.name: each.type for each in schema or ()}
            before = pa.schema([(name, types.get(name, pa.string())) for name in header])
            schema = united(before, schema or before, kept.path)
            file.write(_header(schema.names))
            name, nulls = header.index(NAME), "," * (len(schema) - len(header))
            for fields, text in records:
                if fields[name] not in kept.without:
                    file.write(f"{text}{nulls}\n".encode(errors="surrogateescape"))
        if schema is None:
            return
        with pa.csv.CSVWriter(file, schema, write_options=pa.csv.WriteOptions(include_header=not kept)) as writer:
            for entry in new:
                writer.write_table(filled(pa.Table.from_batches([entry]), schema))


def _header(columns: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(columns)
    return text.getvalue().encode()


def _records(path: str) -> Iterator[tuple[list[str], str]]:
    """The fields of each record, the header first, and its text without the end of its line. Raises UsageError."""
    lines: list[str] = []

    def noted(file: TextIO) -> Iterator[str]:
        for line in file:
            lines.append(line)
            yield line

    try:
        with storage.open_text(path, newline="") as file:
            records = filter(None, csv.reader(noted(file), strict=True))
            header = next(records, [])
            if NAME not in header:
                raise csv.Error(f"it has no column {NAME}")
            for fields in chain([header], records):
                if len(fields) != len(header):
                    raise csv.Error(f"a row has {len(fields)} fields, the header {len(header)}")
                yield fields, "".join(lines).strip("\r\n")
                lines.clear()
    except csv.Error as error:
        raise UsageError(f"{path}: not a table of predictions ({error}); move it away") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({storage.reason(error)})") from error
