"""A cluster of three nodes on this machine; its head has no cores, as on Kubernetes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nodes import STORE_BYTES, add_node

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

TESTS = Path(__file__).parents[1]
SOON = {"health_check_period_ms": 500, "health_check_failure_threshold": 3, "health_check_initial_delay_ms": 500}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one core each, beside the head; it takes seconds to notice that one is dead."""
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    folders = [str(TESTS.parent), str(TESTS), str(TESTS / "engines")]
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)  # which the nodes inherit
    head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False, "_system_config": SOON}
    started = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            add_node(started)
        started.wait_for_nodes()
        yield started
    finally:
        started.shutdown()
        del os.environ["PYTHONPATH"]
