"""Pack windows of many sources into full batches, and hand the rows back to their sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from torch_zoo.utils.types import Source, Windows


@dataclass(slots=True)
class Job:
    """A source under way in a worker."""

    source: Source
    times: list[np.ndarray] = field(default_factory=list)  # of the windows seen
    outputs: list[Mapping[str, np.ndarray]] = field(default_factory=list)  # of the windows computed
    metadata: dict[str, np.ndarray] = field(default_factory=dict)  # that its windows told
    windows: int = 0  # seen
    rows: int = 0  # computed
    decoded: bool = False  # all windows have been seen
    failed: bool = False

    @property
    def finished(self) -> bool:
        return self.decoded and not self.failed and self.rows == self.windows

    def arrays(self) -> dict[str, np.ndarray]:
        """Outputs of all windows in order, if there were any, and the metadata."""
        keys: Iterable[str] = self.outputs[0] if self.outputs else ()
        return self.metadata | {key: np.concatenate([part[key] for part in self.outputs]) for key in keys}

    def spans(self) -> np.ndarray:
        """Start and end of all windows, (T, 2) s."""
        return np.concatenate(self.times) if self.times else np.zeros((0, 2))


@dataclass(frozen=True, slots=True)
class Batch:
    """One network input: rows of one or more jobs, in order."""

    data: np.ndarray  # (n, *window_shape)
    parts: list[tuple[Job, int]]  # whose rows they are, and how many

    def scatter(self, outputs: Mapping[str, np.ndarray]) -> Iterator[Job]:
        """Give each job its rows of the outputs (n, ...); yields the jobs."""
        first = 0
        for job, rows in self.parts:
            job.outputs.append({key: array[first : first + rows] for key, array in outputs.items()})
            job.rows += rows
            first += rows
            yield job


class Batcher:
    """Collects windows; those of one shape share a batch."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._waiting: dict[tuple[int, ...], list[tuple[Job, np.ndarray]]] = defaultdict(list)

    def add(self, job: Job, windows: Windows) -> Iterator[Batch]:
        """Take windows in; yields the batches that are full now."""
        job.times.append(windows.times)
        job.metadata |= windows.metadata
        job.windows += len(windows.data)
        waiting = self._waiting[windows.data.shape[1:]]
        if len(windows.data):
            waiting.append((job, windows.data))
        while sum(len(data) for _, data in waiting) >= self._batch_size:
            yield self._take(waiting)

    def flush(self) -> Iterator[Batch]:
        """The batches that are not full."""
        for waiting in self._waiting.values():
            while waiting:
                yield self._take(waiting)

    def _take(self, waiting: list[tuple[Job, np.ndarray]]) -> Batch:
        taken: list[tuple[Job, np.ndarray]] = []
        room = self._batch_size
        while waiting and room:
            job, data = waiting.pop(0)
            taken.append((job, data[:room]))
            if len(data) > room:
                waiting.insert(0, (job, data[room:]))
            room -= len(taken[-1][1])
        return Batch(np.concatenate([data for _, data in taken]), [(job, len(data)) for job, data in taken])
