"""Which devices there are, and how a network runs on one. Nothing here imports torch before a network is placed."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from torch_zoo.utils import cpu
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

Precision = Literal["fp32", "tf32", "bf16", "fp16"]
DeviceKind = Literal["auto", "cuda", "cpu"]


def devices(kind: DeviceKind, ids: list[int] | None) -> list[str]:
    """Options -> one device name a worker, e.g. ["cuda:0", "cuda:2"]; CPU workers are all "cpu". Raises UsageError.

    An id that is given twice gets two workers.
    """
    gpus = 0 if kind == "cpu" else visible_gpus()
    if kind == "cuda" and not gpus:
        raise UsageError("device=cuda, but no CUDA device is visible here; device=cpu works everywhere")
    if not gpus:
        return ["cpu"] * (1 if ids is None else len(_checked(ids)))
    chosen = list(range(gpus)) if ids is None else _checked(ids)
    if unknown := [index for index in chosen if index not in range(gpus)]:
        there = ", ".join(map(str, range(gpus)))
        raise UsageError(f"device_ids: there is no CUDA device {unknown[0]}; there are {there}")
    return [f"cuda:{index}" for index in chosen]


def gpu_index(device: str) -> int | None:
    """1 for `cuda:1`, the short form of device=cuda device_ids=[1]; None for anything else."""
    found = re.fullmatch(r"cuda:(\d+)", device)
    return int(found[1]) if found else None


def visible_gpus() -> int:
    """CUDA devices that this process may use (CUDA_VISIBLE_DEVICES counts), asked of the driver itself."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    number = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(number)) != 0:
        return 0
    return number.value


def cpu_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class DeviceModel:
    """A network on its device: takes batches (n, ...) of the host, gives outputs (n, ...), floats as float32.

    Floats are converted to the network's type on the device; of integers the network itself makes what it needs.
    Calling it starts a batch; what it returns waits for the outputs. On CUDA a batch that does not fit into memory is
    halved, and so are all later ones.
    """

    def __init__(self, network: nn.Module, device: str, precision: Precision) -> None:
        import torch

        # fp32 means fp32: by default cuDNN rounds its inputs to TF32, 10 bits of mantissa
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        self._device = device
        if device == "cpu":
            cpu.warn_if_emulated(precision)
        else:
            torch.cuda.set_device(device)
        self._type = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
        volumes = any(parameter.dim() == 5 for parameter in network.parameters())
        self._layout = torch.channels_last_3d if volumes else torch.channels_last
        self._network = network.eval().to(device, self._type).to(memory_format=self._layout)
        self._limit: int | None = None  # windows that are known to fit
        self._busy_seconds = 0.0
        self._thread = ThreadPoolExecutor(1) if device == "cpu" else None  # so that the caller can go on

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Memory for a batch; on CUDA it is pinned, so that copying it is not waited for."""
        import torch

        if self._thread:
            return np.empty(shape, dtype)
        like = torch.from_numpy(np.empty(0, dtype))
        return torch.empty(shape, dtype=like.dtype, pin_memory=True).numpy()

    def busy_seconds(self) -> float:
        """How long the device has computed for this network, so far."""
        return self._busy_seconds

    def __call__(self, batch: np.ndarray) -> Callable[[], np.ndarray]:
        return self._thread.submit(self._at_once, batch).result if self._thread else self._in_parts(batch)

    def _at_once(self, batch: np.ndarray) -> np.ndarray:
        began = time.monotonic()
        outputs = self._in_parts(batch)()
        self._busy_seconds += time.monotonic() - began
        return outputs

    def _in_parts(self, batch: np.ndarray) -> Callable[[], np.ndarray]:
        """Start the batch, in as many parts as memory asks for."""
        import torch

        while True:
            size = min(self._limit or len(batch), len(batch))
            try:
                parts = [self._start(batch[first : first + size]) for first in range(0, len(batch), size)]
                return parts[0] if len(parts) == 1 else partial(_joined, parts)
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                self._limit = size // 2
            # after the handler, whose exception holds on to what the failed batch had allocated
            torch.cuda.empty_cache()
            log.warning("%s is out of memory with batches of %d; going on with %d", self._device, size, self._limit)

    def _start(self, batch: np.ndarray) -> Callable[[], np.ndarray]:
        import torch

        with torch.inference_mode():
            inputs = torch.from_numpy(batch)
            if self._device == "cpu":
                return self.compute(inputs).numpy
            began = torch.cuda.Event(enable_timing=True)
            began.record(torch.cuda.current_stream(self._device))
            outputs = self.compute(inputs if inputs.is_pinned() else inputs.pin_memory())
            host = torch.empty(outputs.shape, dtype=outputs.dtype, pin_memory=True).copy_(outputs, non_blocking=True)
            done = torch.cuda.Event(enable_timing=True, blocking=True)  # waiting for it leaves the core to others
            done.record(torch.cuda.current_stream(self._device))

        def wait() -> np.ndarray:
            done.synchronize()
            self._busy_seconds += began.elapsed_time(done) / 1000
            return host.numpy()

        return wait

    def compute(self, inputs: Tensor) -> Tensor:
        """The network's outputs, still on the device; on CUDA nothing is waited for."""
        placed = inputs.to(self._device, non_blocking=True)  # converted there: on the host it would be waited for
        if placed.is_floating_point():
            placed = placed.to(self._type).contiguous(memory_format=self._layout)
        outputs: Tensor = self._network(placed)
        return outputs.float() if outputs.is_floating_point() else outputs


def _joined(parts: Sequence[Callable[[], np.ndarray]]) -> np.ndarray:
    return np.concatenate([part() for part in parts])


def batch_that_fits(device: str, bytes_per_window: int, most: int) -> int:
    """As many windows as half of the free memory of a CUDA device holds, 1 at least; many: a multiple of 32."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    fit = min(most, free // 2 // bytes_per_window)
    return fit // 32 * 32 or max(1, fit)


def _checked(ids: list[int]) -> list[int]:
    if not ids:
        raise UsageError("device_ids: the list is empty")
    if min(ids) < 0:
        raise UsageError(f"device_ids: {ids} must be integers from 0")
    return ids
