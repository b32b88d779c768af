"""The flow of a whole clip on disk, and how long its vectors are."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from torch_zoo.models.flow.estimator import Flow

STORED = np.dtype(np.float16)  # 11 bits; colors have 8
LARGEST = np.finfo(STORED).max


class Recording:
    """A clip's flow in a file: `record` computes and keeps it, then `replay` is the same flow without the work."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        # The bits of positive floats are ordered as their values are, so this is the exact histogram of the lengths.
        self._counts = np.zeros(1 << 16, np.int64)

    def record(self, flow: Flow) -> Flow:
        """`flow`, of which each result is appended to the file. Raises OSError."""

        def recorded(frames: np.ndarray) -> np.ndarray:
            vectors = flow(frames)
            lengths = np.minimum(np.hypot(vectors[:, 0], vectors[:, 1]), LARGEST).astype(STORED)
            self._counts += np.bincount(lengths.view(np.uint16).ravel(), minlength=len(self._counts))
            self._file.write(np.clip(vectors, -LARGEST, LARGEST).astype(STORED).tobytes())
            return vectors

        return recorded

    def rewind(self) -> None:
        """The next `replay` is that of the first frames."""
        self._file.seek(0)

    def replay(self, frames: np.ndarray) -> np.ndarray:
        """(T + 1, H, W, 3) -> (T, 2, H, W) float32, px, of the frames that follow those of the last call."""
        shape = (len(frames) - 1, 2, *frames.shape[1:3])
        stored = np.frombuffer(self._file.read(int(np.prod(shape)) * STORED.itemsize), STORED)
        return stored.reshape(shape).astype(np.float32)

    def percentile(self, percent: float) -> float:
        """The least length, px, that this share of all vectors does not exceed; that of no vectors is 0."""
        below = self._counts.cumsum()
        rank = int(np.searchsorted(below, percent / 100 * below[-1]))
        return float(np.array(rank, np.uint16).view(STORED))
