"""Optical flow by any method: weights, networks, and flow as a plain function of frames."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from torch_zoo.models.flow.weights import PWC, RAFT_SINTEL, with_torchvision_keys
from torch_zoo.utils import checkpoints
from torch_zoo.utils.devices import DeviceModel, cpu_cores
from torch_zoo.utils.heartbeat import beat

if TYPE_CHECKING:
    from torch_zoo.models.flow.network import FlowNetwork

log = logging.getLogger(__name__)

FlowType = Literal["raft", "pwc", "tvl1"]
Flow = Callable[[np.ndarray], np.ndarray]  # RGB frames (T + 1, H, W, 3) uint8 -> (T, 2, H, W) float32, px, x before y

SMALLER_EDGE = 256  # px, of the frames from which I3D's flow is computed
LARGEST_FLOW = 20.0  # px; I3D clamps longer vectors
CLIPS_PER_BATCH = {"cpu": 1, "cuda": 8}
PROBE_EDGE = 128  # px, the least that RAFT takes
TYPICAL_PIXELS = SMALLER_EDGE * 341  # of a 4:3 frame with the smaller edge 256
TYPICAL_FPS = 25.0
STRIDES = {"raft": 8}  # the others need no frame of padding


def resolve(kind: FlowType, checkpoint: str, seed: int) -> checkpoints.Checkpoint | None:
    """The resolved checkpoint, or None for a method without weights. Raises UsageError."""
    if kind == "tvl1":
        return None
    pretrained = {"raft": RAFT_SINTEL, "pwc": PWC}[kind]
    return checkpoints.resolve(checkpoint, pretrained, seed, option="flow_checkpoint")


def load(kind: FlowType, weights: checkpoints.Checkpoint) -> FlowNetwork:
    """The network for `raft` or `pwc`, on the CPU. Raises UsageError if the weights don't fit it."""
    from torch_zoo.models.flow.pwc import PWCNet
    from torch_zoo.models.flow.raft import RAFT

    network: FlowNetwork = RAFT() if kind == "raft" else PWCNet()
    weights.load(network, with_torchvision_keys if kind == "raft" else None)
    return network.eval()


def announce_cost(kind: FlowType, network: FlowNetwork, fps: float | None) -> None:
    """Log what flow by this network will take on a CPU, from a pair of small frames; it grows with their area."""
    import torch

    began = time.monotonic()
    with torch.inference_mode():
        network(torch.zeros(1, 2, 3, PROBE_EDGE, PROBE_EDGE))
    seconds = (time.monotonic() - began) * TYPICAL_PIXELS / PROBE_EDGE**2
    pairs = fps or TYPICAL_FPS
    log.warning(
        "flow_type=%s on this CPU: about %.1f s per pair of frames, %.0f s per second of video at %g fps; "
        "a GPU or a lower extraction_fps takes less",
        *(kind, seconds, seconds * pairs, pairs),
    )


def crop_offset(kind: FlowType, length: int, crop: int) -> int:
    """Where the center crop of a side of `length` px begins. RAFT's is the center of the padded frame."""
    padding = -length % STRIDES.get(kind, 1)
    return (length + padding - crop) // 2 - padding // 2


def flow_function(kind: FlowType, weights: checkpoints.Checkpoint | None, device: str) -> Flow:
    """A function that computes the flow between consecutive frames, on the given device. Raises UsageError."""
    if weights is None:
        return lambda frames: np.stack(PairwiseFlow()(list(frames)))
    from torch_zoo.models.flow.network import ClipFlow

    model = DeviceModel(ClipFlow(load(kind, weights)), device, "fp32")
    return lambda frames: model(frames[None])()[0]


class PairwiseFlow:
    """TV-L1 flow for stacks of frames, on all cores; pairs shared with the previous stack are not computed again."""

    def __init__(self) -> None:
        import cv2

        cv2.setNumThreads(1)  # the pool computes pairs in parallel instead
        self._pool = ThreadPoolExecutor(cpu_cores())
        self._known: dict[tuple[int, int], np.ndarray] = {}
        self._frames: Sequence[np.ndarray] = ()  # kept alive, since the keys are their ids

    def __call__(self, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        """RGB frames (H, W, 3) uint8 -> flow from each to the next, (2, H, W) float32 in px, x before y."""
        from torch_zoo.models.flow.tvl1 import tvl1

        pairs = {(id(first), id(second)): (first, second) for first, second in pairwise(frames)}
        new = [key for key in pairs if key not in self._known]
        computed = self._pool.map(lambda key: tvl1(np.stack(pairs[key]))[0], new)
        self._known = {key: self._known[key] for key in pairs if key in self._known}
        for number, (key, flow) in enumerate(zip(new, computed, strict=True), 1):
            self._known[key] = flow
            beat(f"computing flow, {number} of {len(new)} pairs")
        self._frames = frames
        return [self._known[id(first), id(second)] for first, second in pairwise(frames)]
