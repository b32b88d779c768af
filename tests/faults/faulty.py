"""An extractor for real runs over real media, in whose processes faults are injected.

Its points: `decode-<source>` in a decoder, with a part of the windows behind it; `forward` in a worker; in whichever
process writes, `replace-<file>` when a file is written and not yet in its place, and `append-<journal>` when half of an
entry is. With a file `elsewhere` among them, each run is on a machine of its own, and there are no locks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from points import reach
from sharers import go_elsewhere

from benchmarks.levels import Levels
from torch_zoo.utils.sinks.journal import Journal
from torch_zoo.utils.types import Source, Stage, Windows

ELSEWHERE = "elsewhere"


@dataclass(frozen=True, kw_only=True)
class Faulty(Levels):
    points: str

    def __post_init__(self) -> None:
        patch_writing(Path(self.points))

    def load(self, device: str, threads: int) -> list[Stage]:
        patch_writing(Path(self.points))
        return super().load(device, threads)

    def forward(self, batch: np.ndarray) -> Callable[[], Mapping[str, np.ndarray]]:
        reach(Path(self.points), "forward")
        return super().forward(batch)

    def windows(self, source: Source) -> Iterator[Windows]:
        for windows in super().windows(source):
            yield windows
            reach(Path(self.points), f"decode-{source.name}")


def patch_writing(points: Path) -> None:
    """Put points into what this process writes."""
    if not isinstance(os.replace, partial):
        os.replace = partial(_replace, points, os.replace)
        Journal.append = _append(points, Journal.append)
        if (points / ELSEWHERE).exists():
            go_elsewhere(f"machine of {os.getpid()}")


def _replace(points: Path, replace, written, path) -> None:  # type: ignore[no-untyped-def]
    reach(points, f"replace-{Path(path).name}")
    replace(written, path)


def _append(points: Path, append):  # type: ignore[no-untyped-def]
    def half_first(journal: Journal, entry: bytes) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{journal._file}")).name
        point = f"append-{name.split('.')[0]}"
        if (points / point).exists():
            os.write(journal._file, bytes(entry)[: len(entry) // 2])
            reach(points, point)
            raise AssertionError(f"{point} is no place to go on from")
        append(journal, entry)

    return half_first
