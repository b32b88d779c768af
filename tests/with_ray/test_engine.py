"""The same sources and the same faults as on one machine, on the nodes of a cluster."""

from __future__ import annotations

import pytest
from actors import Doubler, Tell

from torch_zoo.utils.engines.ray import Ray
from torch_zoo.utils.types import Source

pytest.importorskip("ray")
pytestmark = pytest.mark.ray

GOOD = [f"good {number}" for number in range(12)]
BAD = {
    "media x": "no audio stream",
    "kill x": "its decoder was killed by SIGKILL, perhaps because memory ran out; tried twice",
    "worker x": "its worker was killed by SIGKILL, perhaps because memory ran out; tried twice",
}


@pytest.fixture(scope="module")
def outcomes(cluster, tmp_path_factory):
    sources = [Source(path, path.replace(" ", "_")) for path in [*GOOD[:6], *BAD, *GOOD[6:]]]
    engine = Ray(address=cluster.address, num_decoders=1)
    found = list(engine.run(sources, Doubler(markers=str(tmp_path_factory.mktemp("markers"))), Tell()))
    return {outcome.source.path: outcome for outcome in found}


def test_x(outcomes):
    for o in outcomes.values():
        print(o)
