"""Features of all sources in one Parquet file, one row per row of the arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from torch_zoo.utils.predictions import report
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.sinks.journal import Journal, exited
from torch_zoo.utils.sinks.merging import described, merge, names_and_columns, open_table
from torch_zoo.utils.sinks.record import locked
from torch_zoo.utils.sinks.table_rows import JOURNALS, columns, entry, rows, utf8
from torch_zoo.utils.types import Commit, Features, Source, UsageError

FILE_NAME = "embeddings.parquet"


@dataclass(frozen=True, kw_only=True)
class SaveTable(FolderSink):
    """`<folder>/embeddings.parquet`: name, path, start, end, embedding (or a column per key, where there are several).

    Each worker keeps a journal; after the run the driver merges them into the table. Of a source written twice, the
    later rows stay.
    """

    @property
    def path(self) -> Path:
        return Path(self.folder) / FILE_NAME

    @property
    def destination(self) -> str:
        return str(self.path)

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        self._merge()  # what a run that was killed left
        names, _ = self._there
        all_new = overwrite and names <= {utf8(source.name) for source in sources}
        claimed = self.claim(settings, sources, {FILE_NAME} if all_new else set(), names)
        if not all_new:
            _check_types(self.path, arrays)

        def commit() -> None:
            claimed()
            self._forget()

        return commit

    def has(self, source: Source, arrays: Mapping[str, np.dtype]) -> bool:
        names, there = self._there
        in_table = utf8(source.name) in names and there.issuperset(columns(arrays).values())
        return in_table and self.provenance.matches(source)

    def open(self, token: str) -> None:
        super().open(token)
        self._journal  # noqa: B018 - begun now

    def write(self, features: Features) -> str:
        with self.provenance.writing(features.source):
            self._journal.append(entry(rows(features)))
        return report(features)

    def finish(self) -> None:
        if journal := self.__dict__.pop("_journal", None):
            journal.close()
        super().finish()
        self._merge()

    @cached_property
    def _journal(self) -> Journal:
        return Journal(Path(self.folder), JOURNALS, self.provenance.token)

    @cached_property
    def _there(self) -> tuple[set[str], set[str]]:
        """The names and the columns in the table."""
        return names_and_columns(self.path)

    def _merge(self) -> None:
        self._forget()
        folder = Path(self.folder)
        if not any(folder.glob(JOURNALS)):
            return
        try:
            with locked(folder), exited(folder, JOURNALS) as journals:
                merge(self.path, journals)
        except OSError as error:
            raise UsageError(
                f"{self.path}: cannot be written ({error.strerror or error}); nothing is lost: "
                "the same command completes it"
            ) from error

    def _forget(self) -> None:
        self.__dict__.pop("_there", None)


def _check_types(path: Path, arrays: Mapping[str, np.dtype]) -> None:
    """Raise UsageError if the table so far has other columns than those to come."""
    if not path.exists():
        return
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
                f"{path} holds {described(schema)}, not {column}: {row.base}{list(row.shape)}; move it away, or choose "
                "another output_path"
            )
