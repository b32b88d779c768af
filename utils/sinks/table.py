"""Features as tables, one row per row of the arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from torch_zoo.utils.sinks.containers import rows
from torch_zoo.utils.sinks.containers.container import Container
from torch_zoo.utils.sinks.containers.parquet import Parquet
from torch_zoo.utils.sinks.containers.shards import Limit
from torch_zoo.utils.sinks.containers.sink import ContainerSink
from torch_zoo.utils.types import Commit, Features, Source, UsageError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class TableSink(ContainerSink):
    """A sink of rows, to which the columns of the list go along."""

    rows_per_file: int | None = None
    listed: tuple[str, ...] = field(default=(), init=False)  # columns of the list; `prepare` finds them

    def __post_init__(self) -> None:
        if self.rows_per_file is not None and self.rows_per_file < 1:
            raise UsageError(f"rows_per_file={self.rows_per_file}: must be 1 or more, or null for one file")

    @property
    def limit(self) -> Limit | None:
        return Limit(rows=self.rows_per_file) if self.rows_per_file else None

    @abstractmethod
    def taken(self, arrays: Mapping[str, np.dtype]) -> Collection[str]:
        """Columns that the list can't have."""

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        object.__setattr__(self, "listed", rows.listed_columns(sources, self.taken(arrays)))
        return super().prepare(settings, sources, arrays, overwrite)


@dataclass(frozen=True, kw_only=True)
class SaveTable(TableSink):
    """Parquet: name, path, start, end, what the list says, embedding (or a column per key, where there are several)."""

    stem: ClassVar[str] = "embeddings"

    @property
    def container(self) -> Container:
        return Parquet()

    def taken(self, arrays: Mapping[str, np.dtype]) -> Collection[str]:
        return rows.columns(arrays).values()

    def encode(self, features: Features) -> Mapping[str, pa.Array]:
        return rows.of_features(features, self.listed)
