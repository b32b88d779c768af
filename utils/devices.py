"""Which devices there are, and how a network runs on one. Nothing here imports torch before a network is placed."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from utils.types import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

Precision = Literal["fp32", "tf32", "bf16", "fp16"]
DeviceKind = Literal["auto", "cuda", "cpu"]


def devices(kind: DeviceKind, ids: list[int] | None) -> list[str]:
    """Options -> one device name a worker, e.g. ["cuda:0", "cuda:2"]; CPU workers are all "cpu". Raises UsageError."""
    gpus = 0 if kind == "cpu" else visible_gpus()
    if kind == "cuda" and not gpus:
        raise UsageError("device=cuda, but no CUDA device is visible here; device=cpu works everywhere")
    if not gpus:
        return ["cpu"] * (1 if ids is None else len(_distinct(ids)))
    chosen = list(range(gpus)) if ids is None else _distinct(ids)
    if unknown := [index for index in chosen if index not in range(gpus)]:
        there = ", ".join(map(str, range(gpus)))
        raise UsageError(f"device_ids: there is no CUDA device {unknown[0]}; there are {there}")
    return [f"cuda:{index}" for index in chosen]


def visible_gpus() -> int:
    """CUDA devices that this process may use (CUDA_VISIBLE_DEVICES counts), asked of the driver itself."""
    try:
        driver = ctypes.CDLL("libcuda.so.1" if os.name == "posix" else "nvcuda.dll")
    except OSError:
        return 0
    number = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(number)) != 0:
        return 0
    return number.value


def cpu_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def place(network: nn.Module, device: str, precision: Precision) -> Callable[[Tensor], Tensor]:
    """The network on its device: CPU batch -> outputs in float32, still on the device."""
    import torch

    # fp32 means fp32: by default cuDNN rounds its inputs to TF32, 10 bits of mantissa
    tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    network = network.eval().to(device, dtype).to(memory_format=torch.channels_last)

    def forward(batch: Tensor) -> Tensor:
        with torch.inference_mode():
            outputs: Tensor = network(batch.to(device, dtype, memory_format=torch.channels_last))
            return outputs.float()

    return forward


def _distinct(ids: list[int]) -> list[int]:
    if not ids:
        raise UsageError("device_ids: the list is empty")
    if len(set(ids)) < len(ids) or min(ids) < 0:
        raise UsageError(f"device_ids: {ids} must be different whole numbers from 0")
    return ids
