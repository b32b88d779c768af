"""CSV files of many sources: rows of strings and numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers.container import Container
from torch_zoo.utils.sinks.containers.tables import filled, united
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.csv


class CSV(Container):
    """RFC 4180, UTF-8, with a header; an empty field is a null."""

    suffix: ClassVar[str] = ".csv"

    def sources(self, path: str) -> dict[str, bytes]:
        with _open(path, {}, ["name"]) as reader:
            return {name: b"" for batch in reader for name in batch.column(0).unique().to_pylist()}

    def write(
        self,
        file: BinaryIO,
        entries: Iterable[pa.RecordBatch],
        about: Mapping[str, str],
        old: str | None = None,
        without: Collection[str] = (),
    ) -> None:
        import pyarrow as pa
        import pyarrow.csv

        schema: pa.Schema | None = None
        for entry in entries:
            schema = united(schema, entry.schema.remove_metadata(), old or "a table")
        if old:
            with _open(old, {each.name: each.type for each in schema or ()}) as reader:
                schema = united(reader.schema, schema or reader.schema, old)
        if schema is None:
            return
        new = (pa.Table.from_batches([entry]) for entry in entries)
        with pa.csv.CSVWriter(file, schema) as writer:
            for table in chain(_kept(old, schema, without), new):
                writer.write_table(filled(table, schema))


@contextmanager
def _open(
    path: str, types: Mapping[str, pa.DataType], only: Collection[str] = ()
) -> Iterator[pyarrow.csv.CSVStreamingReader]:
    import pyarrow as pa
    import pyarrow.csv

    convert = pa.csv.ConvertOptions(
        column_types={"name": pa.string(), **types},
        include_columns=list(only),
        null_values=[""],
        strings_can_be_null=True,
    )
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    try:
        with (
            storage.open_read(path) as file,
            pa.csv.open_csv(file, parse_options=parse, convert_options=convert) as reader,
        ):
            yield reader
    except (pa.ArrowException, KeyError) as error:
        raise UsageError(f"{path}: not a table of predictions ({str(error).splitlines()[0]}); move it away") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({storage.reason(error)})") from error


def _kept(path: str | None, schema: pa.Schema, without: Collection[str]) -> Iterator[pa.Table]:
    """The rows of a table, but for those of the sources named, some at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not path:
        return
    gone = pa.array(sorted(without), pa.string())
    with _open(path, {each.name: each.type for each in schema}) as reader:
        for batch in reader:
            rows = pa.Table.from_batches([batch])
            yield rows.filter(pc.invert(pc.is_in(rows["name"], gone)))
