"""What the sinks stored in a folder, read by other means than theirs."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq


def outputs(folder: Path) -> dict[str, bytes]:
    """All arrays that a sink stored in a folder, bit for bit, by source and array, whichever file they are in."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.glob("*")):
        content = READERS[path.suffix](path) if path.suffix in READERS else {}
        assert not found.keys() & content.keys(), f"{path} holds what another file holds"
        found |= content
    return found


def _whole(path: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes()}


def _table(path: Path) -> Mapping[str, bytes]:
    table = pq.read_table(path).sort_by([("name", "ascending"), ("start", "ascending")])
    columns = set(table.column_names) - {"path"}  # which is that of the folder
    return {name: repr(table[name].to_pylist()).encode() for name in columns}


def _hdf5(path: Path) -> Mapping[str, bytes]:
    with h5py.File(path) as file:
        return {f"{name}/{key}": np.asarray(file[name][key]).tobytes() for name in file for key in file[name]}


def _tar(path: Path) -> Mapping[str, bytes]:
    with tarfile.open(path) as tar:
        return {name: tar.extractfile(name).read() for name in tar.getnames() if name.endswith(".npy")}  # type: ignore[union-attr]


READERS = {
    **dict.fromkeys((".npy", ".npz", ".pkl", ".tfrecord"), _whole),
    ".parquet": _table,
    ".h5": _hdf5,
    ".tar": _tar,
}
