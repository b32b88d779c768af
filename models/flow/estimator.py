"""One face for all kinds of flow: consecutive frames in, the flow between each two out, on any device."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import numpy as np

from torch_zoo.models.flow.weights import PWC, RAFT_SINTEL, with_torchvision_keys
from torch_zoo.utils import checkpoints
from torch_zoo.utils.devices import Precision, cpu_cores

if TYPE_CHECKING:
    from torch_zoo.models.flow.network import FlowNetwork

FlowType = Literal["raft", "pwc", "tvl1"]
Flow = Callable[[np.ndarray], np.ndarray]  # RGB frames (T + 1, H, W, 3) uint8 -> (T, 2, H, W) float32, px, x before y

PAIRS_AT_A_TIME = {"cpu": 4, "cuda": 16}
MOST_THREADS = 16  # for TV-L1 beside a GPU
STRIDES = {"raft": 8}  # the others need no frame of padding


def resolve(kind: FlowType, checkpoint: str, seed: int) -> checkpoints.Checkpoint | None:
    """Weights at hand, or None where the method has none. Raises UsageError."""
    if kind == "tvl1":
        return None
    pretrained = {"raft": RAFT_SINTEL, "pwc": PWC}[kind]
    return checkpoints.resolve(checkpoint, pretrained, seed, option="flow_checkpoint")


def load(
    kind: FlowType, weights: checkpoints.Checkpoint | None, device: str, threads: int, precision: Precision
) -> Flow:
    """Ready to compute; to be called from any thread. Raises UsageError if the weights are another network's."""
    if weights is None:
        return _tvl1(threads if device == "cpu" else min(MOST_THREADS, cpu_cores()))
    from torch_zoo.models.flow.pwc import PWCNet
    from torch_zoo.models.flow.raft import RAFT

    network: FlowNetwork = RAFT() if kind == "raft" else PWCNet()
    weights.load(network, with_torchvision_keys if kind == "raft" else None)
    return _PlacedFlow(network, device, precision)


def crop_offset(kind: FlowType, length: int, crop: int) -> int:
    """Where the middle `crop` px of a side of `length` begin: of the padded frames, which RAFT's flow is taken from."""
    padding = -length % STRIDES.get(kind, 1)
    return (length + padding - crop) // 2 - padding // 2


def _tvl1(threads: int) -> Flow:
    import cv2

    from torch_zoo.models.flow.tvl1 import tvl1

    cv2.setNumThreads(1)  # pairs are spread over the pool instead
    pool = ThreadPoolExecutor(threads)

    def flow(frames: np.ndarray) -> np.ndarray:
        pairs = (frames[first : first + 2] for first in range(len(frames) - 1))
        return np.concatenate(list(pool.map(tvl1, pairs)))

    return flow


class _PlacedFlow:
    """A flow network on a device; one thread's frames at a time."""

    def __init__(self, network: FlowNetwork, device: str, precision: Precision) -> None:
        import torch

        # fp32 means fp32: by default cuDNN rounds its inputs to TF32
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        self._type = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
        self._network = network.eval().to(device, self._type).to(memory_format=torch.channels_last)
        self._device = device
        self._pairs = PAIRS_AT_A_TIME[device.split(":")[0]]
        self._turn = threading.Lock()

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        import torch

        parts = []
        with self._turn, torch.inference_mode():
            for first in range(0, len(frames) - 1, self._pairs):
                part = torch.from_numpy(frames[first : first + self._pairs + 1]).to(self._device)
                flow = self._network(part.permute(0, 3, 1, 2).to(self._type))
                parts.append(flow.float().cpu().numpy())
        return np.concatenate(parts)
