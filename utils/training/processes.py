"""The processes that train together, started by torchrun: one per GPU, or several on the CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from torch_zoo.utils.devices import DeviceKind, devices
from torch_zoo.utils.training.batch_norm import synchronized
from torch_zoo.utils.types import UsageError


@contextmanager
def joined(kind: DeviceKind) -> Iterator[str]:
    """The device of this process; the others that torchrun started are connected. Raises UsageError."""
    available = devices(kind, None)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield available[0]
        return
    on_cpu = available[0] == "cpu"
    if not on_cpu and number_here() > len(available):
        raise UsageError(
            f"{number_here()} processes, but {len(available)} CUDA devices; use a smaller --nproc_per_node"
        )
    device = "cpu" if on_cpu else available[int(os.environ["LOCAL_RANK"])]
    if not on_cpu:
        torch.cuda.set_device(device)
    dist.init_process_group("gloo" if on_cpu else "cpu:gloo,cuda:nccl")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0; the first one writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def number() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def number_here() -> int:
    """Of processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def barrier() -> None:
    """Wait until all processes are here."""
    if dist.is_initialized():
        dist.barrier()


def total(value: Tensor) -> Tensor:
    """The sum over all processes."""
    if dist.is_initialized():
        value = value.clone()
        dist.all_reduce(value)
    return value


def gathered(value: Any) -> list[Any]:
    """The values of all processes, in their order."""
    if not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * number()
    dist.all_gather_object(values, value)
    return values


def replica(network: nn.Module) -> nn.Module:
    """The network itself or, with several processes, a wrapper that averages gradients and shares batch statistics."""
    if not dist.is_initialized():
        return network
    return DistributedDataParallel(synchronized(network), broadcast_buffers=False)
