"""Project a table of features to 2D points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from torch_zoo.utils.sinks.containers.parquet import open_table
from torch_zoo.utils.types import UsageError

Projection = Literal["pca", "umap"]
PROJECTIONS: tuple[Projection, ...] = get_args(Projection)
INSTALL = 'install the extra "map": pip install ".[map]" (Python 3.11 or later)'


@dataclass(frozen=True, slots=True)
class Points:
    """One point per row of the table."""

    names: list[str]
    paths: list[str]
    times: np.ndarray  # (n, 2) float64, start and end, s
    positions: np.ndarray  # (n, 2) float64


def read_points(path: Path, projection: Projection = "pca", column: str = "") -> Points:
    """Read a table written by on_extraction=save_table. Raises UsageError.

    `column` holds the vectors; "" means the first column that has any.
    """
    import pyarrow as pa

    with open_table(str(path)) as file:
        available = [field.name for field in file.schema_arrow if pa.types.is_fixed_size_list(field.type)]
        if not available or (column and column not in available):
            listed = ", ".join(available) or "none"
            raise UsageError(f"{path}: no column of vectors named {column!r}; available: {listed}")
        column = column or available[0]
        rows = file.read(columns=["name", "path", "start", "end", column])
    if rows.num_rows < 3:
        raise UsageError(
            f"{path} has {rows.num_rows} rows; a map needs three or more (pooling=null gives one per window)"
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
    """(n, d) -> (n, 2): projection on the first two principal components, each with its largest weight positive."""
    centered = vectors - vectors.mean(axis=0, dtype=np.float64)
    directions = np.linalg.eigh(centered.T @ centered)[1][:, :-3:-1]
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), range(directions.shape[1])])
    projected = np.zeros((len(vectors), 2))
    projected[:, : directions.shape[1]] = centered @ (directions * signs)
    return projected


def umap(vectors: np.ndarray) -> np.ndarray:
    """(n, d) -> (n, 2), UMAP of cosine distances (McInnes et al. 2018, arXiv:1802.03426). Raises UsageError."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise UsageError(f"--projection umap requires umap-learn: {INSTALL}") from error
    neighbors = min(15, len(vectors) - 1)
    projected: np.ndarray = UMAP(n_neighbors=neighbors, metric="cosine", init="random", random_state=0).fit_transform(
        vectors.astype(np.float32)
    )
    return projected.astype(np.float64)
