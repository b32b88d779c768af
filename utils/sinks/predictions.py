"""What a network's classifier predicts, stored: a table of the best classes, or the probabilities of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.predictions import softmax
from torch_zoo.utils.sinks.containers import rows
from torch_zoo.utils.sinks.containers.container import Container
from torch_zoo.utils.sinks.containers.csv_table import CSV
from torch_zoo.utils.sinks.containers.parquet import Parquet
from torch_zoo.utils.sinks.files import SaveNumpy
from torch_zoo.utils.sinks.table import TableSink
from torch_zoo.utils.types import Commit, Features, Source, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

SOFTMAX = {"softmax": np.dtype(np.float32)}
HEAD = "head"  # column of the stream or head that predicts
CLASS, PROBABILITY = "class_{}", "probability_{}"  # columns, from the best


@dataclass(frozen=True, kw_only=True)
class SavePredictions(TableSink):
    """One row per window and head: name, path, start, end, what the list says, head, and its classes.

    These are `class_1`, `probability_1` and so on, from the best, or a column of probabilities for each class.
    """

    stem: ClassVar[str] = "predictions"
    stores_predictions: ClassVar[bool] = True

    predictions_file: Literal["predictions.parquet", "predictions.csv"] = "predictions.parquet"
    top_k: int | None = 5
    show_pred: bool = False  # print the five best as well

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k={self.top_k}: must be 1 or more, or null for all classes")
        if self._csv and storage.is_url(self.folder):
            raise UsageError(
                f"output_path={self.folder}: a CSV table needs a local folder; "
                "predictions_file=predictions.parquet can be written there"
            )

    @property
    def container(self) -> Container:
        return CSV() if self._csv else Parquet()

    def write(self, features: Features) -> str:
        printed = super().write(features)
        return printed if self.show_pred else ""

    @property
    def _csv(self) -> bool:
        return self.predictions_file.endswith(CSV.suffix)

    def taken(self, arrays: Mapping[str, np.dtype]) -> Collection[str]:
        best = range(1, 1 + (self.top_k or 0))
        return {HEAD, *map(CLASS.format, best), *map(PROBABILITY.format, best)}

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        own = {"predictions_file": self.predictions_file, "top_k": self.top_k}
        return super().prepare({**settings, **own}, sources, {}, overwrite)

    def encode(self, features: Features) -> Mapping[str, pa.Array]:
        import pyarrow as pa

        predictions, times = features.predictions, features.times
        if predictions is None:
            return rows.source_columns(features.source, times[:0], self.listed)
        heads = list(predictions.logits)
        logits = np.concatenate(list(predictions.logits.values()))
        return {
            **rows.source_columns(features.source, np.tile(times, (len(heads), 1)), self.listed),
            HEAD: pa.array(np.repeat(heads, len(times)).tolist(), pa.string()),
            **self._classes(logits, predictions.classes),
        }

    def _classes(self, logits: np.ndarray, classes: Sequence[str]) -> dict[str, pa.Array]:
        """Of logits (rows, classes)."""
        import pyarrow as pa

        probabilities = softmax(logits).astype(np.float32)
        if self.top_k is None:
            [(name, number)] = Counter([*classes, *rows.COLUMNS, *self.listed, HEAD]).most_common(1)
            if number > 1:
                raise UsageError(f"two columns would be called {name}, as a class is; give a number as top_k")
            return {name: pa.array(column) for name, column in zip(classes, probabilities.T, strict=True)}
        best = np.argsort(-logits, axis=1, kind="stable")[:, : self.top_k]
        names = np.array(classes, object)
        columns: dict[str, pa.Array] = {}
        for place in range(best.shape[1]):
            chosen = best[:, place]
            columns[CLASS.format(place + 1)] = pa.array(names[chosen], pa.string())
            columns[PROBABILITY.format(place + 1)] = pa.array(probabilities[np.arange(len(chosen)), chosen])
        return columns


@dataclass(frozen=True, kw_only=True)
class SaveSoftmax(SaveNumpy):
    """`<name>.npy`: probabilities (T, classes) float32, of several heads those of the last, which combines them."""

    stores_predictions: ClassVar[bool] = True

    name_pattern: str = "{name}"
    show_pred: bool = False  # print the five best as well

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        return super().prepare(settings, sources, SOFTMAX, overwrite)

    def has(self, source: Source, arrays: Mapping[str, np.dtype]) -> bool:
        return super().has(source, SOFTMAX)

    def write(self, features: Features) -> str:
        probabilities = np.zeros((0, 0), np.float32)
        if features.predictions:
            probabilities = softmax(list(features.predictions.logits.values())[-1]).astype(np.float32)
        printed = super().write(replace(features, arrays={"softmax": probabilities}))
        return printed if self.show_pred else ""
