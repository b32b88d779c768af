"""Features of all sources in one Parquet file, one row a row of the arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from torch_zoo.utils.sinks.journal import Journal, ended
from torch_zoo.utils.sinks.merging import NAME, described, merge, open_table
from torch_zoo.utils.sinks.settings import claim_folder
from torch_zoo.utils.types import Commit, Features, Sink, Source, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

FILE_NAME = "embeddings.parquet"
LOCK_NAME = ".embeddings.lock"


@dataclass(frozen=True, kw_only=True)
class SaveTable(Sink):
    """`<folder>/embeddings.parquet`: name, path, start, end, embedding (or a column a key, where there are several).

    Each worker keeps a journal; after the run the parent merges them into the table. Of a source written twice, the
    later rows stay.
    """

    folder: str

    @property
    def path(self) -> Path:
        return Path(self.folder) / FILE_NAME

    @property
    def destination(self) -> str:
        return str(self.path)

    def has(self, source: Source, keys: Collection[str]) -> bool:
        names, there = self._there
        return source.name in names and there.issuperset(columns(keys).values())

    def claim(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        self.finish()  # what a run that was killed left
        names, _ = self._there
        all_new = overwrite and names <= {source.name for source in sources}
        commit_folder = claim_folder(Path(self.folder), settings, {self.path} if all_new else set())
        if not all_new:
            _check_types(self.path, arrays)

        def commit() -> None:
            commit_folder()
            self._forget()

        return commit

    def write(self, features: Features) -> str:
        self._journal.append(_rows(features))
        return features.report

    def finish(self) -> None:
        if journal := self.__dict__.pop("_journal", None):
            journal.close()
        self._forget()
        folder = Path(self.folder)
        if folder.is_dir():
            try:
                with FileLock(folder / LOCK_NAME), ended(folder) as journals:
                    merge(self.path, journals)
            except OSError as error:
                raise UsageError(
                    f"{self.path}: cannot be written ({error.strerror or error}); nothing is lost: "
                    "the same command puts it together"
                ) from error

    @cached_property
    def _journal(self) -> Journal:
        return Journal(Path(self.folder))

    @cached_property
    def _there(self) -> tuple[set[str], set[str]]:
        """The names and the columns in the table."""
        if not self.path.exists():
            return set(), set()
        with open_table(self.path) as table:
            batches = table.iter_batches(columns=["name"])
            names = {name for batch in batches for name in batch.column(0).unique().to_pylist()}
            return names, set(table.schema_arrow.names)

    def _forget(self) -> None:
        self.__dict__.pop("_there", None)

    def __getstate__(self) -> dict[str, object]:
        """What a worker's copy needs: neither the names nor an open file."""
        return {"folder": self.folder}


def columns(keys: Collection[str]) -> dict[str, str]:
    """The column of each key."""
    return {key: key if len(keys) > 1 else "embedding" for key in keys}


def _rows(features: Features) -> pa.RecordBatch:
    """One row a time; an array without a row a time is repeated."""
    import pyarrow as pa

    source, number = features.source, len(features.times)
    named = columns(features.arrays)
    repeated = {
        named[key]: array if array.shape[:1] == (number,) else np.broadcast_to(array, (number, *array.shape))
        for key, array in features.arrays.items()
    }
    values = {
        "name": pa.repeat(pa.scalar(source.name, pa.string()), number),
        "path": pa.repeat(pa.scalar(source.path, pa.string()), number),
        "start": pa.array(features.times[:, 0], pa.float64()),
        "end": pa.array(features.times[:, 1], pa.float64()),
        **{column: _column(array) for column, array in repeated.items()},
    }
    return pa.RecordBatch.from_pydict(values, metadata={NAME: source.name.encode()})


def _column(array: np.ndarray) -> pa.Array:
    """(n,) -> numbers, (n, d) -> lists of d numbers, (n, d, e) -> lists of lists."""
    import pyarrow as pa

    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for size in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


def _check_types(path: Path, arrays: Mapping[str, np.dtype]) -> None:
    """Raise UsageError if the table so far is of other numbers than those to come."""
    if not path.exists():
        return
    import pyarrow as pa

    with open_table(path) as table:
        schema = table.schema_arrow
    for key, column in columns(arrays).items():
        kind = schema.field(column).type if column in schema.names else None
        while kind and pa.types.is_fixed_size_list(kind):
            kind = kind.value_type
        if kind != pa.from_numpy_dtype(arrays[key]):
            raise UsageError(
                f"{path} holds {described(schema)}, not {column}: {arrays[key]}; move it away, or choose another "
                "output_path"
            )
