"""A node that is lost costs its sources another try, however often: none of them is to blame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from actors import WINDOWS, Doubler, Tell
from command import wait_until
from nodes import add_node, ended, parent

from torch_zoo.utils.engines.ray import Ray
from torch_zoo.utils.types import Source

pytest.importorskip("ray", reason="make test-ray runs this")
pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]  # many processes are started

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

MOST_SLOW = 12


def test_a_source_whose_node_is_lost_twice_is_done(cluster: Cluster, tmp_path: Path) -> None:
    """The first source ends only after two nodes have gone under its worker; the others show where that is."""
    engine = Ray(address=cluster.address, num_decoders=2, batch_size=WINDOWS, num_workers=1)
    listed = [Source("wait 0", "0"), *(Source(f"slow {number}", f"{number}") for number in range(1, MOST_SLOW))]
    workers: list[int] = []
    found = []
    for outcome in engine.run(listed, Doubler(markers=str(tmp_path)), Tell()):
        found.append(outcome)
        worker = int(outcome.printed.split()[0])
        if worker in workers:
            continue
        workers.append(worker)
        if len(workers) == 3:
            (tmp_path / "released").touch()
        else:
            add_node(cluster)
            raylet = parent(parent(worker))
            [node] = [each for each in cluster.worker_nodes if each.all_processes["raylet"][0].process.pid == raylet]
            cluster.remove_node(node, allow_graceful=len(workers) == 2)
    assert {outcome.source.name: outcome.message for outcome in found} == {source.name: "" for source in listed}
    assert len(workers) == 3
    assert wait_until(lambda: all(map(ended, workers)), 30)
