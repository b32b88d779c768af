"""Postprocessing of embeddings: Google's PCA and 8-bit quantization, pooling over time, L2 normalization."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from torch_zoo.utils.checkpoints import is_stored
from torch_zoo.utils.types import UsageError

Postprocess = Literal["none", "pca", "pca_8bit", "pca_8bit_rounded"]
Pooling = Literal["mean", "sum", "max"]

WIDTH = 128
VECTORS, MEANS = "pca_eigen_vectors", "pca_means"
LIMIT = 2.0  # values are clipped to [-LIMIT, LIMIT] and quantized to 8 bits


@dataclass(frozen=True, slots=True)
class Pca:
    """A PCA projection with whitening, learned on AudioSet."""

    vectors: np.ndarray  # (128, 128) float64, one row per component
    means: np.ndarray  # (128,) float64

    def project(self, embeddings: np.ndarray) -> np.ndarray:
        """(n, 128) -> (n, 128) float64: E (x - m)."""
        projected: np.ndarray = (embeddings - self.means) @ self.vectors.T
        return projected

    def apply(self, embeddings: np.ndarray, postprocess: Postprocess) -> np.ndarray:
        """(n, 128) float32 -> (n, 128), float32 for `pca`, otherwise uint8."""
        projected = self.project(embeddings)
        if postprocess == "pca":
            return projected.astype(np.float32)
        scaled = (np.clip(projected, -LIMIT, LIMIT) + LIMIT) * (255 / (2 * LIMIT))
        return (np.round(scaled) if postprocess == "pca_8bit_rounded" else scaled).astype(np.uint8)


def load_pca(path: Path) -> Pca:
    """PCA parameters from Google's .npz or torchvggish's .pth. Raises UsageError if the file is neither."""
    try:
        _check_shapes(path, _shapes(path))  # first: an .npz can decompress to any size
        arrays = _read(path)
    except UsageError:
        raise
    except Exception as error:  # NumPy and torch raise many types for damaged files
        raise UsageError(f"pca_params: {path} is not a readable .npz or .pth file ({type(error).__name__})") from error
    return Pca(arrays[VECTORS].astype(np.float64), arrays[MEANS].astype(np.float64).reshape(WIDTH))


def pool(rows: np.ndarray, pooling: Pooling) -> np.ndarray:
    """(n, 128) -> (1, 128) float32, or (0, 128) if n = 0."""
    if not len(rows):
        return np.zeros((0, rows.shape[1]), np.float32)
    pooled: np.ndarray = getattr(rows.astype(np.float64), pooling)(axis=0, keepdims=True)
    return pooled.astype(np.float32)


def normalized(rows: np.ndarray) -> np.ndarray:
    """L2-normalize each row; rows of zeros stay zeros."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    scaled: np.ndarray = rows / np.where(lengths > 0, lengths, 1.0)
    return scaled.astype(np.float32)


def _check_shapes(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, expected in ((VECTORS, [(WIDTH, WIDTH)]), (MEANS, [(WIDTH,), (WIDTH, 1)])):
        if name not in shapes:
            raise UsageError(f"pca_params: {path} has no {name}; it is not VGGish's PCA")
        if shapes[name] not in expected:
            raise UsageError(f"pca_params: {path}: {name} is {shapes[name]} instead of {expected[0]}")


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    if not _is_npz(path):
        return {name: array.shape for name, array in _read(path).items()}
    with zipfile.ZipFile(path) as file:
        return {name.removesuffix(".npy"): _shape(file, name) for name in file.namelist()}


def _shape(file: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """By the header of a stored array."""
    with file.open(name) as member:
        first = np.lib.format.read_magic(member) == (1, 0)
        read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        return read(member)[0]


def _read(path: Path) -> dict[str, np.ndarray]:
    if _is_npz(path):
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in (VECTORS, MEANS)}
    import torch

    is_stored(path)  # or it raises
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise pickle.UnpicklingError
    return {name: np.asarray(value) for name, value in state.items()}


def _is_npz(path: Path) -> bool:
    return zipfile.is_zipfile(path) and not _written_by_torch(path)


def _written_by_torch(path: Path) -> bool:
    with zipfile.ZipFile(path) as file:
        return any(name.endswith("data.pkl") for name in file.namelist())
