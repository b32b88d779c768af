"""Stand-in weights and frames by the formulas of golden/README.md: the same numbers on every machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 1 << 20  # elements computed at a time

# Of a one-dimensional tensor, by the end of its key: offset and scale; all others are biases.
VECTORS = {"running_var": (1.0, 0.5), "running_mean": (0.0, 0.1), "weight": (1.0, 0.2)}


def formula_state(manifest: Path) -> dict[str, Tensor]:
    """The state dict whose keys and shapes a manifest lists."""
    import torch

    tensors = json.loads(manifest.read_text())["tensors"]
    return {
        listed["key"]: torch.from_numpy(formula_tensor(t, listed["key"], tuple(listed["shape"])))
        for t, listed in enumerate(tensors)
    }


def formula_tensor(t: int, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Tensor number t, float32; a counter of batches is int64 and zero."""
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if len(shape) > 1:
        offset, scale = 0.0, np.sqrt(6.0 / np.prod(shape[1:]))
    else:
        offset, scale = VECTORS.get(key.rpartition(".")[2], (0.0, 0.1))
    values = np.empty(int(np.prod(shape)), np.float32)
    for start in range(0, len(values), BLOCK):
        part = values[start : start + BLOCK]
        part[:] = offset + formula_uniform(t, np.arange(start, start + len(part), dtype=np.uint32)) * scale
    return values.reshape(shape)


def formula_uniform(t: int, index: np.ndarray) -> np.ndarray:
    """u(t, i) in [-1, 1), float64."""
    x = index * np.uint32(0x9E3779B1) + np.uint32((t * 0x85EBCA77 + 0x27D4EB2F) & 0xFFFFFFFF)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x2C1B3C6D)
    x ^= x >> np.uint32(12)
    x *= np.uint32(0x297A2D39)
    x ^= x >> np.uint32(15)
    return x / 2.0**31 - 1.0


def wave(height: int, width: int, down: int = 0, right: int = 0) -> np.ndarray:
    """A pattern moved by whole pixels, (3, height, width) float64 in 0..255."""
    c, y, x = np.ogrid[:3, :height, :width]
    y, x = y - down, x - right
    return 127.5 + 60 * np.sin(0.11 * x + 0.05 * y + c) + 60 * np.cos(0.07 * x - 0.13 * y + 2 * c)


def waves(height: int, width: int, frames: int = 2) -> Tensor:
    """Frames of the golden flows, each shifted by 2 pixels down and 3 right: (frames, 3, height, width) float32."""
    import torch

    return torch.from_numpy(np.stack([wave(height, width, 2 * t, 3 * t) for t in range(frames)]).astype(np.float32))
