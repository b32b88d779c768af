"""An extractor without torch, for real runs over real media, in whose processes faults are injected.

Its points: `decode-<source>` in a decoder, with a part of the windows behind it; `forward` in a worker; in whichever
process writes, `replace-<file>` when a file is written and not yet in its place, and `append-<journal>` when half of an
entry is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from points import reach

from torch_zoo.utils.media.audio import mono, open_audio
from torch_zoo.utils.sinks.journal import Journal
from torch_zoo.utils.types import Features, Source, Stage, Timing, Windows
from torch_zoo.utils.windows import sliding_windows, spans

SECONDS = 0.1  # of a window
LEVELS = 16  # per window
SENT = 5  # windows at a time


@dataclass(frozen=True, kw_only=True)
class Faulty:
    points: str

    def __post_init__(self) -> None:
        patch_writing(Path(self.points))

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
        patch_writing(Path(self.points))
        return [Stage(self._forward, batch_size=8)]

    def windows(self, source: Source) -> Iterator[Windows]:
        first = 0
        with open_audio(source) as audio:
            samples = round(SECONDS * audio.rate)
            for data in sliding_windows(mono(audio.blocks), samples, hop=samples):
                for part in np.split(data, range(SENT, len(data), SENT)):
                    yield Windows(part, spans(first, len(part), SECONDS, SECONDS, source.start))
                    first += len(part)
                    reach(Path(self.points), f"decode-{source.name}")

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        nothing = {key: np.zeros((0, LEVELS), row.base) for key, row in self.arrays.items()}
        return Features(source, arrays or nothing, times)

    def _forward(self, batch: np.ndarray):  # type: ignore[no-untyped-def]
        """Root mean squares of the sixteenths of each window, (n, samples) -> (n, 16)."""
        reach(Path(self.points), "forward")
        parts = batch[:, : batch.shape[1] // LEVELS * LEVELS].reshape(len(batch), LEVELS, -1)
        levels = np.sqrt((parts.astype(np.float64) ** 2).mean(axis=2)).astype(np.float32)
        return lambda: {"levels": levels, "codes": (255 * levels).astype(np.uint8)}


def patch_writing(points: Path) -> None:
    """Put points into what this process writes."""
    if not isinstance(os.replace, partial):
        os.replace = partial(_replace, points, os.replace)
        Journal.append = _append(points, Journal.append)


def _replace(points: Path, replace, written, path) -> None:  # type: ignore[no-untyped-def]
    reach(points, f"replace-{Path(path).name}")
    replace(written, path)


def _append(points: Path, append):  # type: ignore[no-untyped-def]
    def half_first(journal: Journal, entry: bytes) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{journal._file}")).name
        point = f"append-{name.split('.journal')[0].split('.')[0]}" if name.endswith(".journal") else ""
        if point and (points / point).exists():
            os.write(journal._file, bytes(entry)[: len(entry) // 2])
            reach(points, point)
            raise AssertionError(f"{point} is no place to go on from")
        append(journal, entry)

    return half_first
