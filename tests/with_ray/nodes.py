"""Nodes of a cluster on this machine, and their processes: raylet -> actor -> worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

STORE_BYTES = 78 << 20  # the least that Ray takes


def add_node(cluster: Cluster) -> None:
    """One with one core."""
    cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)


def stat(process: int) -> list[str]:
    """State, parent and so on; nothing if it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def parent(process: int) -> int:
    return int(stat(process)[1])


def ended(process: int) -> bool:
    return stat(process)[:1] in ([], ["Z"])
