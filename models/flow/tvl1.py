"""TV-L1 flow (Zach, Pock and Bischof, 2007) with OpenCV, on the CPU; it has no weights. I3D was trained with it."""

from __future__ import annotations

import threading
from itertools import pairwise

import cv2
import numpy as np

from torch_zoo.utils.heartbeat import beat

_per_thread = threading.local()


def tvl1(frames: np.ndarray) -> np.ndarray:
    """RGB frames (T + 1, H, W, 3) uint8 -> flow from each to the next (T, 2, H, W) float32 in pixels, x before y.

    Computed on grayscale frames with OpenCV's default parameters. Thread-safe.
    """
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    flow = np.empty((len(gray) - 1, 2, *frames.shape[1:3]), np.float32)
    vectors = np.empty((*frames.shape[1:3], 2), np.float32)
    for number, (first, second) in enumerate(pairwise(gray)):
        beat()
        flow[number] = _solver().calc(first, second, vectors).transpose(2, 0, 1)
    return flow


def _solver() -> cv2.DenseOpticalFlow:
    """One per thread, since it keeps its buffers from pair to pair."""
    if not hasattr(_per_thread, "solver"):
        _per_thread.solver = cv2.optflow.DualTVL1OpticalFlow_create()  # type: ignore[attr-defined]  # OpenCV's stubs lack it
    solver: cv2.DenseOpticalFlow = _per_thread.solver
    return solver
