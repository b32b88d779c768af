"""The same sources and the same faults as on one machine, on the nodes of a cluster."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from actors import WINDOWS, Doubler, Tell, value
from command import wait_until
from nodes import ended, parent

from torch_zoo.utils.engines.ray import Ray
from torch_zoo.utils.types import Outcome, Source, UsageError

ray = pytest.importorskip("ray", reason="make test-ray runs this")
pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]  # many processes are started

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

GOOD = [f"good {number}" for number in range(12)]
CRASHED = "its worker was killed by SIGKILL, perhaps because memory ran out; tried twice"
BAD = {
    "media x": "no audio stream",
    "kill x": "its decoder was killed by SIGKILL, perhaps because memory ran out; tried twice",
    "worker x": CRASHED,
}


@pytest.fixture
def engine(cluster: Cluster) -> Ray:
    return Ray(address=cluster.address, num_decoders=1, batch_size=WINDOWS)


def sources(*paths: str) -> list[Source]:
    return [Source(path, path.replace(" ", "_")) for path in paths]


def worker(outcome: Outcome) -> int:
    """The process that wrote the features."""
    return int(outcome.printed.split()[0])


def test_only_sources_at_fault_fail_and_all_workers_are_used(engine: Ray, tmp_path: Path) -> None:
    """The first source ends only when the last is being decoded: whoever has the first must not get the last."""
    listed = sources("wait 0", *GOOD[:6], *BAD, *GOOD[6:], "release 0")
    found = {each.source.path: each for each in engine.run(listed, Doubler(markers=str(tmp_path)), Tell())}
    assert {path: found[path].message for path in BAD} == BAD
    done = [each for path, each in found.items() if path not in BAD]
    assert len(done) == len(GOOD) + 2
    for each in done:
        assert (each.status, each.media_seconds) == ("done", WINDOWS)
        assert each.printed.partition(" ")[2] == str([[2 * value(each.source)] * 2] * WINDOWS)
    assert worker(found["wait 0"]) != worker(found["release 0"])
    assert wait_until(lambda: all(ended(worker(each)) for each in done), 30)


def test_what_a_killed_actor_held_is_tried_again(engine: Ray, tmp_path: Path) -> None:
    with closing(engine.run(sources("good 0", "wait 0", "good 1"), Doubler(markers=str(tmp_path)), Tell())) as outcomes:
        done = [next(outcomes)]
        os.kill(parent(worker(done[0])), signal.SIGKILL)  # its actor
        assert wait_until(lambda: ended(worker(done[0])), 30)
        (tmp_path / "released").touch()
        done += outcomes
    assert {(each.source.name, each.status) for each in done} == {
        (name, "done") for name in ("good_0", "wait_0", "good_1")
    }


def test_options_that_a_worker_finds_wrong_end_the_run(engine: Ray, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^weights\.pth: not the weights of Doubler$"):
        list(engine.run(sources("good 0"), Doubler(markers=str(tmp_path), loading="usage"), Tell()))


def test_a_file_that_only_the_driver_sees_is_refused(engine: Ray, tmp_path: Path) -> None:
    with open(os.devnull) as file:
        path = f"/proc/self/fd/{os.dup2(file.fileno(), 200)}"
        try:
            with pytest.raises(UsageError, match=f"node .* can't see {path} \\(No such file or directory\\); media"):
                list(engine.run([Source(path, "x")], Doubler(markers=str(tmp_path)), Tell()))
        finally:
            os.close(200)


def test_more_than_any_node_has_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    engine = Ray(address=cluster.address, resources={"num_cpus": 1, "custom": {"tpu": 1}})
    with pytest.raises(UsageError, match="no node of the cluster has num_cpus=1, tpu=1"):
        list(engine.run(sources("good 0"), Doubler(markers=str(tmp_path)), Tell()))
