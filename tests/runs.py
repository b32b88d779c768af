"""Runs of a file sink over made-up features, in this process: a driver and a worker with copies of the sink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.files import FileSink
from torch_zoo.utils.types import Features, Source

SETTINGS, OTHERS = {"hop_seconds": 0.96}, {"hop_seconds": 0.48}
ROWS = {"rgb": np.dtype((np.uint8, 4)), "flow": np.dtype((np.uint8, 4))}
ARRAYS = {"rgb": np.arange(12, dtype=np.uint8).reshape(3, 4), "flow": np.full((3, 4), 7, np.uint8)}


def put(path: str, content: bytes) -> None:
    with storage.atomic_write(path) as file:
        file.write(content)


def get(path: str) -> bytes:
    with storage.open_read(path) as file:
        return file.read()


def new(sink: FileSink, **options: Any) -> Any:
    """The sink of another process."""
    return replace(sink, **options)


def extract(sink: FileSink, sources: Sequence[Source], *, killed: bool = False, overwrite: bool = False) -> FileSink:
    """A run with one worker; returns its driver's sink."""
    driver, worker = new(sink), new(sink)
    driver.prepare(SETTINGS, sources, ROWS, overwrite)()
    worker.open("host-1-ab")
    for source in sources:
        worker.write(Features(source, ARRAYS, np.zeros((3, 2))))
    if not killed:
        worker.flush()
    driver.finish()
    return driver


def left(sink: FileSink, sources: Sequence[Source]) -> str:
    """Names of those that a new run would extract."""
    driver = new(sink)
    driver.prepare(SETTINGS, sources, ROWS, False)
    return "".join(source.name for source in sources if not driver.has(source, ROWS))
