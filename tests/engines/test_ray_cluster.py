"""What a cluster has, and what workers ask of it: decided without Ray."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from actors import Doubler, Tell

import torch_zoo
from torch_zoo.utils.engines.ray import Ray
from torch_zoo.utils.engines.ray_cluster import Node, Share, environment, shares
from torch_zoo.utils.engines.ray_preflight import Preflight, needed_by, probe
from torch_zoo.utils.sinks.files import SaveNumpy
from torch_zoo.utils.types import Source, UsageError


def node(**resources: float) -> Node:
    return Node("id", "10.0.0.1", resources)


HEAD = node(memory=1e9)  # as on Kubernetes
GPUS = [HEAD, node(CPU=32, GPU=4), node(CPU=12, GPU=2), node(CPU=64)]
CPUS = [HEAD, node(CPU=8), node(CPU=20)]


@pytest.mark.parametrize(
    ("cluster", "device", "resources", "share", "number"),
    [
        (GPUS, "auto", None, Share(6, 1), 6),  # the 12 cores of the smaller node, for two workers
        (GPUS, "cuda", {"num_cpus": 3}, Share(3, 1), 6),
        (GPUS, "auto", {"num_gpus": 0.5}, Share(3, 0.5), 12),
        (GPUS, "auto", {"num_gpus": 2}, Share(12, 2), 3),
        (GPUS, "cpu", None, Share(12), 8),
        (CPUS, "auto", None, Share(8), 3),
        (CPUS, "auto", {"num_cpus": 4}, Share(4), 7),
        ([node(CPU=8, spot=1), node(CPU=16)], "auto", {"custom": {"spot": 1}}, Share(8, 0, {"spot": 1}), 1),
    ],
)
def test_there_are_as_many_workers_as_fit(
    cluster: list[Node], device: Any, resources: dict[str, Any] | None, share: Share, number: int
) -> None:
    assert shares(cluster, device, None, resources) == [share] * number


def test_workers_that_are_asked_for_may_wait_for_the_cluster_to_grow() -> None:
    assert shares([HEAD], "cuda", 3, {"num_cpus": 4}) == [Share(4, 1)] * 3


@pytest.mark.parametrize(
    ("cluster", "device", "resources", "message"),
    [
        (CPUS, "cuda", None, "device=cuda, but no node of the cluster has a GPU"),
        (CPUS, "auto", {"num_cpus": 21}, "no node of the cluster has num_cpus=21"),
        ([HEAD], "auto", None, "no node of the cluster has num_cpus=1"),
    ],
)
def test_a_cluster_without_room_is_refused(
    cluster: list[Node], device: Any, resources: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        shares(cluster, device, None, resources)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": 0}, "num_workers=0: must be 1 or more"),
        ({"resources": {"gpus": 1}}, r"resources: there is no gpus \(there are: num_cpus, num_gpus, custom\)"),
        ({"resources": {"num_cpus": "two"}}, "resources: num_cpus=two: must be a number above 0"),
        ({"resources": {"num_cpus": 0}}, "resources: num_cpus=0: must be a number above 0"),
        ({"resources": {"custom": {"spot": -1}}}, "resources: custom.spot=-1: must be a number above 0"),
        ({"timeout": -1}, "timeout=-1"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Ray(**options)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r'^Ray is missing: pip install "torch-zoo\[ray\]"$'):
        list(Ray().run([Source("a", "a")], Doubler(markers="."), Tell()))
    assert list(Ray().run([], Doubler(markers="."), Tell())) == []


def test_nodes_need_the_media_and_files_that_the_driver_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "weights.pth"):
        (tmp_path / name).touch()
    sources = [Source("a.wav", "a"), Source("missing.wav", "b")]
    needed = needed_by(sources, Doubler(markers="weights.pth", loading="well"))
    assert needed.paths == (str(tmp_path / "weights.pth"), str(tmp_path / "a.wav"))
    assert needed.problem() == ""
    (tmp_path / "weights.pth").unlink()
    assert needed.problem().startswith(f"can't see {tmp_path}/weights.pth (No such file or directory); media")


def test_of_many_media_a_sample_is_looked_for(tmp_path: Path) -> None:
    sources = [Source(str(tmp_path / f"{number}"), f"{number}") for number in range(1000)]
    for source in sources:
        Path(source.path).touch()
    assert 50 <= len(needed_by(sources).paths) <= 100


def test_nodes_need_the_same_version() -> None:
    problem = Preflight("0.0.9", ()).problem()
    assert problem == f"has torch-zoo {torch_zoo.__version__}, and the driver 0.0.9; install the same everywhere"


def test_outputs_are_probed_where_they_will_be(tmp_path: Path) -> None:
    with probe(SaveNumpy(folder=str(tmp_path / "output" / "vggish")).destination) as [path]:
        assert Path(path).exists()
        assert Path(path).parent == tmp_path  # the nearest folder that exists
    assert list(tmp_path.iterdir()) == []
    with probe(Tell().destination) as paths:
        assert paths == ()


def test_actors_import_what_the_driver_can(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "mine::/theirs")
    folders = environment()["env_vars"]["PYTHONPATH"].split(":")
    assert (Path(folders[0]) / "torch_zoo" / "__init__.py").exists()
    assert folders[1:] == [str(tmp_path / "mine"), "/theirs"]
