"""An extractor that costs next to nothing, without torch: what remains of a run is decoding, engine and sink."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from torch_zoo.utils.media.audio import mono, open_audio
from torch_zoo.utils.types import Features, Source, Stage, Timing, Windows
from torch_zoo.utils.windows import sliding_windows, spans

SECONDS = 0.1  # of a window
LEVELS = 16  # per window


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Root mean squares of the sixteenths of each window, (T, 16)."""

    @property
    def arrays(self) -> Mapping[str, np.dtype]:
        return {"levels": np.dtype((np.float32, LEVELS)), "codes": np.dtype((np.uint8, LEVELS))}

    @property
    def settings(self) -> Mapping[str, object]:
        return {}

    @property
    def timing(self) -> Timing:
        return Timing(num_frames=1, feat_stride=1, fps=1 / SECONDS)

    @property
    def empty_message(self) -> str:
        return f"shorter than {SECONDS:g} s"

    def load(self, device: str, threads: int) -> list[Stage]:
        return [Stage(self.forward, batch_size=8)]

    def forward(self, batch: np.ndarray) -> Callable[[], Mapping[str, np.ndarray]]:
        """(n, samples) -> (n, 16)."""
        parts = batch[:, : batch.shape[1] // LEVELS * LEVELS].reshape(len(batch), LEVELS, -1)
        levels = np.sqrt((parts.astype(np.float64) ** 2).mean(axis=2)).astype(np.float32)
        return lambda: {"levels": levels, "codes": (255 * levels).astype(np.uint8)}

    def windows(self, source: Source) -> Iterator[Windows]:
        first = 0
        with open_audio(source) as audio:
            samples = round(SECONDS * audio.rate)
            for data in sliding_windows(mono(audio.blocks), samples, hop=samples):
                yield Windows(data, spans(first, len(data), SECONDS, SECONDS, source.start))
                first += len(data)

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        nothing = {key: np.zeros((0, LEVELS), row.base) for key, row in self.arrays.items()}
        return Features(source, arrays or nothing, times)
