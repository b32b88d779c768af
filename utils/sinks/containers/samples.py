"""A source as named pieces: a `.npy` per array, and a `json` that says what it is of."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from torch_zoo.utils.sinks.containers.entries import utf8
from torch_zoo.utils.sinks.containers.sink import ContainerSink
from torch_zoo.utils.sinks.keys import Keys, check_keys, stored_names
from torch_zoo.utils.types import AddedSetting, Commit, Features, Source, UsageError
from torch_zoo.utils.urls import without_secrets

if TYPE_CHECKING:
    import pyarrow as pa

NAME, CONTENT = "name", "content"  # columns of an entry
JSON = "json"
TIMES = "times"  # in the json: start and end of each window, (T, 2) s


@dataclass(frozen=True, kw_only=True)
class SampleSink(ContainerSink):
    """A sink whose files hold arrays by name; `keys` as in configs/on_extraction/save_hdf5.yaml."""

    stem: ClassVar[str] = "features"
    separator: ClassVar[str | None] = None  # of groups, which names may then have

    keys: Keys = None

    def __post_init__(self) -> None:
        check_keys(self.keys, self.separator)
        names = [f"{name}/" for name in self.keys.values()] if isinstance(self.keys, dict) else []
        if f"{TIMES}/" in names or any(one.startswith(other) for one, other in permutations(names, 2)):
            raise UsageError(f"keys={self.keys}: two arrays would have one name, or that of the {TIMES}")

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        stored_names(self.keys, arrays)
        keys = sorted(self.keys) if isinstance(self.keys, list) else self.keys
        return super().prepare({**settings, "keys": AddedSetting(keys, None)}, sources, arrays, overwrite)

    def encode(self, features: Features) -> Mapping[str, pa.Array]:
        names = stored_names(self.keys, features.arrays)
        pieces = {f"{name}.npy": _npy(features.arrays[key]) for key, name in names.items()}
        pieces[JSON] = json.dumps(_described(features)).encode()
        return columns_of(pieces)


def columns_of(pieces: Mapping[str, bytes]) -> Mapping[str, pa.Array]:
    """The columns of an entry of these pieces, by name."""
    import pyarrow as pa

    return {
        NAME: pa.array(list(pieces), pa.string()),
        CONTENT: pa.array(list(pieces.values()), pa.large_binary()),
    }


def read(entry: pa.RecordBatch) -> dict[str, bytes]:
    """The pieces of an entry, by name."""
    return dict(zip(entry[NAME].to_pylist(), entry[CONTENT].to_pylist(), strict=True))


def _described(features: Features) -> dict[str, object]:
    source = features.source
    return {
        **{utf8(column): utf8(value) for column, value in source.columns.items()},
        "name": utf8(source.name),
        "path": utf8(without_secrets(source.path)),
        "start": source.start,
        "end": source.end,
        TIMES: features.times.tolist(),
    }


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
