"""What mutants are compared by: the samples, and the mean colors of the frames, that decoders make of them."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from torch_zoo.utils.media.audio import open_audio
from torch_zoo.utils.media.video import open_video
from torch_zoo.utils.types import Features, Source, Stage, Timing, Windows

SAMPLES = 256  # in a window
GRID = 4  # parts of a frame in each direction


@dataclass(frozen=True, kw_only=True)
class Digests:
    """An extractor whose features are what was decoded; the column `front` of a source says audio or video."""

    arrays: Mapping[str, np.dtype]
    settings: Mapping[str, object]
    timing: Timing | None = None
    empty_message: str = "nothing in it"

    def load(self, device: str, threads: int) -> Sequence[Stage]:
        def forward(batch: np.ndarray) -> Callable[[], Mapping[str, np.ndarray]]:
            kept = batch.copy()
            return lambda: {"digests": kept}

        return [Stage(forward, batch_size=64)]

    def windows(self, source: Source) -> Iterator[Windows]:
        for row in of_samples(source) if source.columns["front"] == "audio" else of_frames(source):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # bytes, of this decoder so far
            yield Windows(row[None], np.zeros((1, 2)), {"peak": np.array(peak)})

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        return Features(source, arrays, times)


DIGESTS = Digests(arrays={"digests": np.dtype(np.float64)}, settings={})


def of_samples(source: Source) -> Iterator[np.ndarray]:
    """(2 + SAMPLES,): rate, channels and their mean in steps of 16 bits; behind the last sample, NaN."""
    with open_audio(source) as audio:
        for block in audio.blocks:
            mean = block.mean(axis=0, dtype=np.float64)
            for first in range(0, len(mean), SAMPLES):
                row = np.full(2 + SAMPLES, np.nan)
                part = mean[first : first + SAMPLES]
                row[:2], row[2 : 2 + len(part)] = (audio.rate, len(block)), part
                yield row


def of_frames(source: Source) -> Iterator[np.ndarray]:
    with open_video(source) as video:
        for frame in video.frames:
            yield of_frame(frame.image(), frame.pts_seconds)


def of_frame(image: np.ndarray, seconds: float) -> np.ndarray:
    """(H, W, 3) uint8 -> (3 + 3 * GRID**2,): time, height, width and the mean of each part of each color."""
    height, width = image.shape[:2]
    rows, columns = (np.linspace(0, size, GRID + 1).astype(int)[:-1] for size in (height, width))
    sums = np.add.reduceat(np.add.reduceat(image, rows, axis=0, dtype=float), columns, axis=1)
    return np.array([seconds, height, width, *sums.ravel() / (height * width / GRID**2)])
