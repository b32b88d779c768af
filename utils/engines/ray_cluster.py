"""A Ray cluster: how to connect to it, what its nodes have, and how many workers that makes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch_zoo
from torch_zoo.utils.devices import DeviceKind
from torch_zoo.utils.extras import require
from torch_zoo.utils.types import UsageError

ANSWER_SECONDS = 60.0  # for a node to start a process and have a look


@dataclass(frozen=True, slots=True)
class Node:
    id: str
    address: str
    resources: Mapping[str, float]  # all it has, free or not


@dataclass(frozen=True, slots=True)
class Share:
    """What a worker asks for."""

    num_cpus: float
    num_gpus: float = 0
    custom: Mapping[str, float] = field(default_factory=dict)

    @property
    def device(self) -> str:
        """Its name in the worker; of the GPUs, Ray shows a worker only its own."""
        return "cuda:0" if self.num_gpus else "cpu"

    @property
    def options(self) -> dict[str, Any]:
        """As Ray calls it."""
        return {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, "resources": dict(self.custom)}

    def fitting(self, node: Node) -> int:
        """How many workers the node has room for."""
        wanted = {"CPU": self.num_cpus, "GPU": self.num_gpus, **self.custom}
        return int(min((node.resources.get(name, 0) / number for name, number in wanted.items() if number), default=0))

    def __str__(self) -> str:
        return ", ".join(
            f"{name}={number:g}"
            for name, number in {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, **self.custom}.items()
            if number
        )


def check_resources(given: Mapping[str, Any]) -> None:
    """Of the option `resources`: {num_cpus: N, num_gpus: N, custom: {NAME: N}}. Raises UsageError."""
    names = ("num_cpus", "num_gpus", "custom")
    if unknown := [name for name in given if name not in names]:
        raise UsageError(f"resources: there is no {unknown[0]} (there are: {', '.join(names)})")
    custom = given.get("custom") or {}
    if not isinstance(custom, Mapping):
        raise UsageError(f"resources: custom={custom}: must be {{NAME: NUMBER}}")
    numbers = {name: given[name] for name in names[:2] if name in given}
    for name, number in (numbers | {f"custom.{name}": number for name, number in custom.items()}).items():
        least = "0 or more" if name == "num_gpus" else "above 0"
        if not isinstance(number, int | float) or number < 0 or (name != "num_gpus" and not number):
            raise UsageError(f"resources: {name}={number}: must be a number {least}")


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to the cluster at the address; disconnected after the block. Raises UsageError."""
    require("ray", "ray")
    import ray

    if ray.is_initialized():
        yield ray
        return
    handler = signal.getsignal(signal.SIGTERM)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == "local":
        options["include_dashboard"] = False
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(address, **options)
    except (ConnectionError, ImportError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"address={address}: can't connect ({last_line(error)}); `ray start --head` starts a cluster on this "
            "machine, address=local one for this run only"
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray's would end the run without a word
    try:
        yield ray
    finally:
        ray.shutdown()


def nodes(ray: Any) -> list[Node]:
    """Those that are alive."""
    return [
        Node(each["NodeID"], each["NodeManagerAddress"], each["Resources"]) for each in ray.nodes() if each["Alive"]
    ]


def environment() -> dict[str, Any]:
    """Of tasks and actors: this checkout, where nodes see it, and what the user has in PYTHONPATH."""
    checkout = str(Path(torch_zoo.__file__).parents[1])
    folders = [checkout, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {"env_vars": {"PYTHONPATH": os.pathsep.join(os.path.abspath(folder) for folder in folders if folder)}}


def ask(ray: Any, cluster: Sequence[Node], question: Callable[[], str]) -> Iterator[tuple[Node, str]]:
    """The answers of all nodes but the driver's own, or why there is none."""
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    task = ray.remote(num_cpus=0, max_retries=0, runtime_env=environment())(_call)
    asked = [
        (node, task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(question))
        for node in cluster
        if node.id != here
    ]
    for node, answer in asked:
        try:
            yield node, ray.get(answer, timeout=ANSWER_SECONDS)
        except RayError as error:
            yield node, f"does not answer: {last_line(error)}"


def _call(question: Callable[[], str]) -> str:
    return question()


def shares(
    cluster: Sequence[Node], device: DeviceKind, num_workers: int | None, resources: Mapping[str, Any] | None
) -> list[Share]:
    """What each worker asks for: all the same, so that any node serves any of them. Raises UsageError.

    By default there is one worker per GPU, or on a cluster without GPUs one per node, with an equal share of the cores
    of the smallest node.
    """
    given = dict(resources or {})
    on_gpus = device != "cpu" and any(node.resources.get("GPU") for node in cluster)
    if device == "cuda" and not on_gpus and num_workers is None:
        raise UsageError("device=cuda, but no node of the cluster has a GPU; device=cpu works everywhere")
    num_gpus = given.get("num_gpus", 1 if on_gpus or device == "cuda" else 0)
    custom = given.get("custom") or {}
    hosts = [node for node in cluster if Share(1, num_gpus, custom).fitting(node)]
    num_cpus = given.get("num_cpus") or min((_cores_each(node, num_gpus) for node in hosts), default=1)
    share = Share(num_cpus, num_gpus, custom)
    number = num_workers or sum(map(share.fitting, cluster))
    if not number:
        raise UsageError(f"resources: no node of the cluster has {share}, which each worker asks for")
    return [share] * number


def _cores_each(node: Node, num_gpus: float) -> int:
    workers = node.resources["GPU"] / num_gpus if num_gpus else 1
    return max(1, int(node.resources["CPU"] / max(1, workers)))


def last_line(error: Exception) -> str:
    """Of a message of Ray: below the traceback of another process stands what happened."""
    return str(error).strip().split("\n")[-1].rstrip(".")
