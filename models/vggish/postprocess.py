"""Postprocessing of embeddings: Google's PCA and 8-bit quantization, pooling over time, L2 normalization."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

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
        arrays = _read(path)
    except Exception as error:  # NumPy and torch raise many types for damaged files
        raise UsageError(f"pca_params: {path} is not a readable .npz or .pth file ({type(error).__name__})") from error
    for name, shapes in ((VECTORS, [(WIDTH, WIDTH)]), (MEANS, [(WIDTH,), (WIDTH, 1)])):
        if name not in arrays:
            raise UsageError(f"pca_params: {path} has no {name}; it does not hold VGGish's PCA parameters")
        if arrays[name].shape not in shapes:
            raise UsageError(f"pca_params: {path}: {name} is {arrays[name].shape} instead of {shapes[0]}")
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


def _read(path: Path) -> dict[str, np.ndarray]:
    if zipfile.is_zipfile(path) and not _written_by_torch(path):
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise pickle.UnpicklingError
    return {name: np.asarray(value) for name, value in state.items()}


def _written_by_torch(path: Path) -> bool:
    with zipfile.ZipFile(path) as file:
        return any(name.endswith("data.pkl") for name in file.namelist())
