"""An extractor whose sources say in their path what goes wrong with them, and a sink that tells what became of them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from torch_zoo.utils import heartbeat
from torch_zoo.utils.types import Features, MediaError, Sink, Source, Stage, UsageError, Windows

WINDOWS = 3  # of each source


def value(source: Source) -> float:
    """What all windows of a source are filled with; its features are twice that."""
    return float(sum(source.name.encode()))


def hoard() -> None:
    """Ask for 64 GB, and use them."""
    hoarded = [np.ones(1 << 27) for _ in range(64)]
    raise AssertionError(f"there was memory for {len(hoarded)} GB")


CRASHES = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit": lambda: os._exit(5),
    "hang": lambda: ctypes.CDLL(None).sleep(600),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "hoard": hoard,
}


@dataclass(frozen=True, kw_only=True)
class Doubler:
    """The path's first word is what happens in the decoder.

    good, empty, wait, release; media and decode raise; kill, kill-once, segfault, abort, exit, hang, stop, hoard end
    or stall its process. `forward` and `worker` happen in the device worker, when the features of the source are made.
    """

    markers: str
    loading: str = "well"

    @property
    def arrays(self) -> Mapping[str, np.dtype]:
        return {"doubled": np.dtype(np.float64)}

    @property
    def settings(self) -> Mapping[str, object]:
        return {}

    @property
    def empty_message(self) -> str:
        return "it has no window"

    def load(self, device: str, threads: int) -> list[Stage]:
        if self.loading == "die":
            os._exit(3)
        if self.loading == "usage":
            raise UsageError("weights.pth: not the weights of Doubler")
        if self.loading == "error":
            raise RuntimeError("no memory for the network")

        def forward(batch):  # type: ignore[no-untyped-def]
            if np.isnan(batch).any():
                raise RuntimeError("a window that the network cannot stand")
            doubled = 2 * batch
            return lambda: {"doubled": doubled}

        return [Stage(forward, batch_size=4)]

    def windows(self, source: Source) -> Iterator[Windows]:
        what = source.path.split()[0]
        fill = value(source)
        if what == "media":
            raise MediaError("no audio stream")
        if what == "decode":
            raise ZeroDivisionError("a decoder's mistake")
        if what == "forward":
            fill = np.nan
        if what in CRASHES:
            yield Windows(np.full((1, 2), fill, np.float32), np.array([[0, 1.0]]))  # which must leave no trace
            CRASHES[what]()
        if what == "kill-once" and not self._marked(source.name):
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "imported":
            raise MediaError(" ".join(sys.modules))
        if what == "slow":
            for _ in range(8):
                time.sleep(0.2)
                heartbeat.beat()
        if what == "release":
            (Path(self.markers) / "released").touch()
        if what == "wait":
            self._wait("released")
        for number in range(0 if what == "empty" else WINDOWS):
            yield Windows(np.full((1, 2), fill, np.float32), np.array([[number, number + 1.0]]))

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        if source.path.startswith("worker"):
            os.kill(os.getpid(), signal.SIGKILL)
        return Features(source, arrays or {"doubled": np.zeros((0, 2), np.float32)}, times)

    def _marked(self, name: str) -> bool:
        """Has this been asked before? From now on it has."""
        marker = Path(self.markers) / name
        there = marker.exists()
        marker.touch()
        return there

    def _wait(self, name: str) -> None:
        end = time.monotonic() + 60
        while not (Path(self.markers) / name).exists():
            if time.monotonic() > end:
                raise TimeoutError(f"nobody wrote {name}")
            time.sleep(0.02)


@dataclass(frozen=True, kw_only=True)
class Tell(Sink):
    """Prints the process that wrote the features, and the features; it must have been told to expect them."""

    expected: set[str] = field(default_factory=set)  # names

    def expect(self, source: Source) -> None:
        self.expected.add(source.name)

    def write(self, features: Features) -> str:
        self.expected.remove(features.source.name)
        if features.source.path.startswith("write"):
            raise OSError(28, "No space left on device")
        return f"{os.getpid()} {features.arrays['doubled'].tolist()}"

    def has(self, source: Source, keys: Collection[str]) -> bool:
        return False
