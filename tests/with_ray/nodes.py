"""Nodes of a cluster on this machine, and their processes: raylet -> actor -> worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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


def workers(cluster: Cluster) -> list[int]:
    """Processes of ours on any node: device workers, decoders and what they are forked from."""
    raylets = {each.all_processes["raylet"][0].process.pid for each in cluster.list_all_nodes()}
    actors = [process for raylet in raylets for process in children(raylet)]
    return [process for actor in actors for process in children(actor)]


def children(process: int) -> list[int]:
    try:
        listed = [file.read_text().split() for file in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for line in listed for child in line if not ended(int(child))]


@contextmanager
def quiet(cluster: Cluster) -> Iterator[None]:
    """Connected, without Ray's log on the terminal."""
    import ray

    ray.init(cluster.address, log_to_driver=False, logging_level="error")
    try:
        yield
    finally:
        ray.shutdown()
