"""A source as named pieces: a `.npy` per array, and a `json` of what it is."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from torch_zoo.utils.sinks.entries import utf8
from torch_zoo.utils.types import Features
from torch_zoo.utils.urls import without_secrets

if TYPE_CHECKING:
    import pyarrow as pa

KEY, CONTENT = "key", "content"


def pieces(features: Features, names: Mapping[str, str]) -> dict[str, pa.Array]:
    """The columns of an entry: `<name>.npy` for each array that has one in `names`, then `json`."""
    import pyarrow as pa

    arrays = {f"{names[key]}.npy": _npy(array) for key, array in features.arrays.items() if key in names}
    source = features.source
    about = {
        "name": utf8(source.name),
        "path": utf8(without_secrets(source.path)),
        "start": source.start,
        "end": source.end,
        "times": features.times.tolist(),  # (T, 2), s
        **{utf8(column): utf8(value) for column, value in source.columns.items()},
    }
    found = arrays | {"json": json.dumps(about).encode()}
    return {
        KEY: pa.array(found.keys(), pa.string()),
        CONTENT: pa.array(found.values(), pa.large_binary()),
    }


def read(entry: pa.RecordBatch) -> dict[str, bytes]:
    """The pieces of an entry."""
    return dict(zip(entry[KEY].to_pylist(), entry[CONTENT].to_pylist(), strict=True))


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
