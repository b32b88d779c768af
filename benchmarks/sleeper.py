"""An extractor and a sink that cost nothing but time, so that what remains is the engine's."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from torch_zoo.utils.types import Features, Sink, Source, Stage, Windows


@dataclass(frozen=True, kw_only=True)
class Sleeper:
    """One window per source, and a network that waits."""

    seconds: float = 0.025  # for each source

    @property
    def arrays(self) -> Mapping[str, np.dtype]:
        return {"slept": np.dtype((np.float32, 1))}

    @property
    def settings(self) -> Mapping[str, object]:
        return {}

    @property
    def timing(self) -> None:
        return None

    @property
    def empty_message(self) -> str:
        return ""

    def load(self, device: str, threads: int) -> list[Stage]:
        def forward(batch: np.ndarray):  # type: ignore[no-untyped-def]
            time.sleep(self.seconds)
            return lambda: {"slept": batch}

        return [Stage(forward, batch_size=1)]

    def windows(self, source: Source) -> Iterator[Windows]:
        yield Windows(np.zeros((1, 1), np.float32), np.array([[0.0, 1.0]]))

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        return Features(source, arrays, times)


@dataclass(frozen=True, kw_only=True)
class Whose(Sink):
    """Stores nothing, and tells which process wrote."""

    def write(self, features: Features) -> str:
        return str(os.getpid())
