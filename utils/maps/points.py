"""A table of features as points of the plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from torch_zoo.utils.sinks.merging import open_table
from torch_zoo.utils.types import UsageError

Projection = Literal["pca", "umap"]
PROJECTIONS: tuple[Projection, ...] = get_args(Projection)
INSTALL = 'install the extra "map": pip install ".[map]" (Python 3.11 or later)'


@dataclass(frozen=True, slots=True)
class Points:
    """One point a row of the table."""

    names: list[str]
    paths: list[str]
    times: np.ndarray  # (n, 2) float64, start and end, s
    positions: np.ndarray  # (n, 2) float64


def read_points(path: Path, projection: Projection = "pca", column: str = "") -> Points:
    """Read a table that on_extraction=save_table wrote. Raises UsageError.

    `column` holds the vectors; "" = the first one that does.
    """
    import pyarrow as pa

    with open_table(path) as file:
        there = [field.name for field in file.schema_arrow if pa.types.is_fixed_size_list(field.type)]
        if not there or (column and column not in there):
            raise UsageError(f"{path}: no vectors in the column {column}; it has {', '.join(there) or 'none'}")
        column = column or there[0]
        rows = file.read(columns=["name", "path", "start", "end", column])
    if rows.num_rows < 3:
        raise UsageError(
            f"{path} has {rows.num_rows} rows; a map needs three or more (pooling=null gives one a window)"
        )
    vectors = rows[column].combine_chunks().flatten().to_numpy().reshape(rows.num_rows, -1)
    project: Callable[[np.ndarray], np.ndarray] = {"pca": pca, "umap": umap}[projection]
    return Points(
        rows["name"].to_pylist(),
        rows["path"].to_pylist(),
        np.stack([rows["start"].to_numpy(), rows["end"].to_numpy()], axis=1),
        project(vectors),
    )


def pca(vectors: np.ndarray) -> np.ndarray:
    """(n, d) -> (n, 2): the two directions of greatest variance, each with its largest weight positive."""
    centred = vectors - vectors.mean(axis=0, dtype=np.float64)
    directions = np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), range(directions.shape[1])])
    projected = np.zeros((len(vectors), 2))
    projected[:, : directions.shape[1]] = centred @ (directions * signs)
    return projected


def umap(vectors: np.ndarray) -> np.ndarray:
    """(n, d) -> (n, 2), by angles (McInnes et al. 2018, arXiv:1802.03426). Raises UsageError without umap-learn."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise UsageError(f"projection umap: {INSTALL}") from error
    neighbours = min(15, len(vectors) - 1)
    projected: np.ndarray = UMAP(n_neighbors=neighbours, metric="cosine", init="random", random_state=0).fit_transform(
        vectors.astype(np.float32)
    )
    return projected.astype(np.float64)
