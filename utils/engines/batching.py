"""Pack windows of many sources into full batches, and scatter the rows of the outputs back to their sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from torch_zoo.utils.types import Windows

MOST_SHAPES = 4  # of windows that wait for a full batch; those of a further shape start the oldest batch as it is

Allocate = Callable[[tuple[int, ...], np.dtype], np.ndarray]
Key = tuple[tuple[int, ...], np.dtype]
Outputs = Mapping[str, np.ndarray]
Computed = tuple[Outputs, np.ndarray]  # of some windows, and their times


@dataclass(slots=True, eq=False)
class Rows:
    """The windows of one source in one stage: how many there are, and how many have been computed."""

    added: int = 0
    computed: int = 0
    ended: bool = False  # no more windows will come
    closed: bool = False  # and the next stage knows
    early: dict[int, Computed] = field(default_factory=dict)  # outputs that came before their turn, by first row

    @property
    def finished(self) -> bool:
        return self.ended and self.computed == self.added

    def in_order(self, part: Part, outputs: Outputs) -> Iterator[Computed]:
        """Take the outputs of a part; yields those whose turn has come."""
        self.early[part.first] = (outputs, part.times)
        while (ready := self.early.pop(self.computed, None)) is not None:
            self.computed += len(ready[1])
            yield ready


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive windows of one source in a batch."""

    rows: Rows
    first: int  # number of the first window in its source
    times: np.ndarray  # one row per window


@dataclass(frozen=True, slots=True)
class Batch:
    """One network input: windows of one or more sources, in order."""

    data: np.ndarray  # (n, *window_shape)
    parts: list[Part]

    def scatter(self, outputs: Outputs) -> Iterator[tuple[Part, Outputs]]:
        """Each part with its rows of the outputs (n, ...)."""
        start = 0
        for part in self.parts:
            stop = start + len(part.times)
            yield part, {key: array[start:stop] for key, array in outputs.items()}
            start = stop


@dataclass(slots=True)
class _Filling:
    """A batch that is not full yet."""

    data: np.ndarray
    parts: list[Part] = field(default_factory=list)
    number: int = 0


class Batcher:
    """Copies windows into batches; those of one shape and type share one.

    The memory of a batch is used again once it is given back with `recycle`.
    """

    def __init__(self, batch_size: int, allocate: Allocate) -> None:
        self._batch_size = batch_size
        self._allocate = allocate
        self._filling: dict[Key, _Filling] = {}
        self._spare: dict[Key, list[np.ndarray]] = defaultdict(list)

    def add(self, rows: Rows, windows: Windows) -> Iterator[Batch]:
        """Take windows in; yields the batches that are full now."""
        data = windows.data
        key = (data.shape[1:], data.dtype)
        taken = 0
        while taken < len(data):
            if key not in self._filling:
                if len(self._filling) >= MOST_SHAPES:
                    yield self._take(next(iter(self._filling)))
                self._filling[key] = _Filling(self._buffer(key))
            filling = self._filling[key]
            number = min(self._batch_size - filling.number, len(data) - taken)
            filling.data[filling.number : filling.number + number] = data[taken : taken + number]
            filling.parts.append(Part(rows, rows.added, windows.times[taken : taken + number]))
            filling.number += number
            rows.added += number
            taken += number
            if filling.number == self._batch_size:
                yield self._take(key)

    def flush(self) -> Iterator[Batch]:
        """The batches that are not full."""
        while self._filling:
            yield self._take(next(iter(self._filling)))

    def recycle(self, batch: Batch) -> None:
        """The batch has been computed."""
        data = batch.data if batch.data.base is None else batch.data.base
        self._spare[(data.shape[1:], data.dtype)].append(data)

    def _take(self, key: Key) -> Batch:
        filling = self._filling.pop(key)
        return Batch(filling.data[: filling.number], filling.parts)

    def _buffer(self, key: Key) -> np.ndarray:
        if self._spare.get(key):
            return self._spare[key].pop()
        if len(self._spare) > MOST_SHAPES:
            self._spare.clear()
        shape, dtype = key
        return self._allocate((self._batch_size, *shape), dtype)
