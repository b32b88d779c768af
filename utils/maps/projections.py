"""Projections of vectors to the plane, and what their axes are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from torch_zoo.utils.extras import require

Projection = Literal["pca", "tsne", "umap"]
PROJECTIONS: tuple[Projection, ...] = get_args(Projection)
PERPLEXITY = 30.0  # of t-SNE; the usual value
NEIGHBORS = 15  # of UMAP; the usual value


@dataclass(frozen=True, slots=True)
class Plane:
    positions: np.ndarray  # (n, 2) float64
    axes: tuple[str, str]


def project(vectors: np.ndarray, projection: Projection) -> Plane:
    """(n, d) -> (n, 2). Raises UsageError if a library is missing."""
    return {"pca": pca, "tsne": tsne, "umap": umap}[projection](vectors)


def pca(vectors: np.ndarray) -> Plane:
    """The first two principal components, each with its largest weight positive."""
    centered = vectors - vectors.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(centered.T @ centered)
    directions = directions[:, :-3:-1]
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), range(directions.shape[1])])
    projected = np.zeros((len(vectors), 2))
    projected[:, : directions.shape[1]] = centered @ (directions * signs)
    shares = np.zeros(2)
    shares[: directions.shape[1]] = variances[:-3:-1] / max(variances.sum(), np.finfo(np.float64).tiny)
    first, second = (
        f"principal component {number} ({share:.0%} of variance)" for number, share in enumerate(shares, 1)
    )
    return Plane(projected, (first, second))


def tsne(vectors: np.ndarray) -> Plane:
    """t-SNE of cosine distances (van der Maaten and Hinton 2008)."""
    require("map", "sklearn")
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    network = TSNE(2, perplexity=perplexity, metric="cosine", init="random", random_state=0)
    return Plane(network.fit_transform(vectors.astype(np.float32)).astype(np.float64), ("t-SNE 1", "t-SNE 2"))


def umap(vectors: np.ndarray) -> Plane:
    """UMAP of cosine distances (McInnes et al. 2018, arXiv:1802.03426)."""
    require("umap", "umap")
    from umap import UMAP

    neighbors = min(NEIGHBORS, len(vectors) - 1)
    network = UMAP(n_neighbors=neighbors, metric="cosine", init="random", random_state=0)
    return Plane(network.fit_transform(vectors.astype(np.float32)).astype(np.float64), ("UMAP 1", "UMAP 2"))
