"""Groups of rows, each of which gets a color: by source, folder, column of the list, or cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from os.path import basename, dirname

import numpy as np

from torch_zoo.utils.extras import require
from torch_zoo.utils.maps.rows import Rows
from torch_zoo.utils.types import UsageError

DIMENSIONS = 50  # principal components in which clusters are sought
UNCLUSTERED = "no cluster"
UNSAID = "not listed"  # where the list says nothing
OWN = ("name", "folder", "cluster")


@dataclass(frozen=True, slots=True)
class Groups:
    by: str  # what they are, for people
    of_rows: list[str]  # the name of each row's

    @property
    def names(self) -> list[str]:
        """The largest first; what belongs to none comes last."""
        counted = Counter(self.of_rows)
        return sorted(counted, key=lambda name: (name in (UNCLUSTERED, UNSAID), -counted[name], name))


def group(rows: Rows, by: str = "", clusters: int | None = None) -> Groups:
    """Groups by "name", "folder", "cluster" or a column of the list. Raises UsageError.

    "" means the label of the list if there is one, else the folder if there are several, else the name. Clusters are
    those of k-means if their number is given, else those of HDBSCAN, which finds it.
    """
    folders = [basename(dirname(path)) or "." for path in rows.paths]
    by = by or ("cluster" if clusters is not None else _usual(rows, folders))
    if clusters is not None and by != "cluster":
        raise UsageError(f"--clusters {clusters}: for --color-by cluster only, not {by}")
    if by == "cluster":
        return k_means(rows.vectors, clusters) if clusters is not None else hdbscan(rows.vectors)
    if by == "name":
        return Groups("source", rows.names)
    if by == "folder":
        return Groups("folder", folders)
    if by not in rows.listed:
        raise UsageError(f"--color-by {by}: no such column; available: {', '.join((*OWN, *rows.listed))}")
    return Groups(by, [value or UNSAID for value in rows.listed[by]])


def _usual(rows: Rows, folders: list[str]) -> str:
    return "label" if "label" in rows.listed else "folder" if len(set(folders)) > 1 else "name"


def hdbscan(vectors: np.ndarray) -> Groups:
    """Clusters of directions (Campello et al. 2013), however many; rows between them belong to none."""
    require("map", "sklearn")
    from sklearn.cluster import HDBSCAN

    directions = _directions(vectors)
    smallest = min(max(5, len(vectors) // 50), len(vectors))
    found = HDBSCAN(min_cluster_size=smallest, copy=True).fit_predict(directions)
    return Groups(f"cluster (HDBSCAN, {found.max() + 1} found)", _numbered(found))


def k_means(vectors: np.ndarray, number: int) -> Groups:
    """That number of clusters of directions. Raises UsageError."""
    require("map", "sklearn")
    from sklearn.cluster import KMeans

    if not 1 <= number <= len(vectors):
        raise UsageError(f"--clusters {number}: must be from 1 to {len(vectors)}, the number of rows")
    found = KMeans(number, n_init=10, random_state=0).fit_predict(_directions(vectors))
    return Groups(f"cluster (k-means, k = {number})", _numbered(found))


def _directions(vectors: np.ndarray) -> np.ndarray:
    """L2-normalized, since similarity is the cosine; then the principal components."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import normalize

    unit = normalize(vectors.astype(np.float64))
    return np.asarray(PCA(min(DIMENSIONS, *unit.shape), random_state=0).fit_transform(unit))


def _numbered(clusters: np.ndarray) -> list[str]:
    """By size: cluster 1 is the largest."""
    sizes = Counter(clusters[clusters >= 0].tolist())
    numbers = {cluster: f"cluster {number}" for number, (cluster, _) in enumerate(sizes.most_common(), 1)}
    return [numbers.get(each, UNCLUSTERED) for each in clusters.tolist()]
