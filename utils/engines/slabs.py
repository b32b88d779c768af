"""Windows in shared memory: a decoder writes them into slabs, its device worker reads them where they lie.

A slab is an anonymous shared file (memfd): it has no name, so nothing is left behind however its processes end. A
decoder has a bounded number of them; the worker returns each one once its windows have been copied into a batch.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from torch_zoo.utils.types import Windows

SLAB_BYTES = 1 << 20  # of a slab, or one window if that is larger
DECODER_BYTES = 16 << 20  # of all slabs of a decoder, or FEWEST_SLABS if these are more
FEWEST_SLABS = 3


@dataclass(frozen=True, slots=True)
class SharedWindows:
    """Windows of one source, described for the other process."""

    slab: int
    shape: tuple[int, ...]  # (n, *window_shape)
    dtype: np.dtype
    times: np.ndarray
    metadata: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class NewSlab:
    """Sent with the descriptor of a slab."""

    slab: int


@dataclass(frozen=True, slots=True)
class DroppedSlab:
    """The slab will not be used any more."""

    slab: int


@dataclass(slots=True)
class _Pending:
    """Windows in a slab that have not been sent yet."""

    slab: int
    like: np.ndarray  # (0, *window_shape)
    rows: int = 0
    times: list[np.ndarray] = field(default_factory=list)


class SlabWriter:
    """The decoder's side. `wait_for_free` blocks until the worker returns a slab, and gives its number."""

    def __init__(self, send: Callable[..., None], wait_for_free: Callable[[], int]) -> None:
        self._send = send
        self._wait_for_free = wait_for_free
        self._slabs: dict[int, mmap.mmap] = {}
        self._free: list[int] = []
        self._number = 0
        self._pending: _Pending | None = None
        self._metadata: dict[str, np.ndarray] = {}

    def write(self, windows: Windows) -> None:
        """Take windows of the current source; they are sent when a slab is full."""
        self._metadata |= windows.metadata
        first = 0
        while first < len(windows.data):
            pending = self._room_for(windows.data)
            like = pending.like
            space = len(self._slabs[pending.slab]) // (like.itemsize * int(np.prod(like.shape[1:]))) - pending.rows
            rows = windows.data[first : first + space]
            _view(self._slabs[pending.slab], pending.rows + len(rows), like)[pending.rows :] = rows
            pending.rows += len(rows)
            pending.times.append(windows.times[first : first + len(rows)])
            first += len(rows)
            if len(rows) == space:
                self.flush()

    def flush(self) -> None:
        """Send what has been written, and the metadata of the source so far."""
        if pending := self._pending:
            shape = (pending.rows, *pending.like.shape[1:])
            times = np.concatenate(pending.times)
            self._send(SharedWindows(pending.slab, shape, pending.like.dtype, times, self._metadata))
        elif self._metadata:
            self._send(Windows(np.zeros((0, 0)), np.zeros((0, 2)), self._metadata))
        self._pending, self._metadata = None, {}

    def discard(self) -> None:
        """Forget windows of a source that failed."""
        if self._pending:
            self._free.append(self._pending.slab)
        self._pending, self._metadata = None, {}

    def free(self, slab: int) -> None:
        """The worker has returned a slab."""
        self._free.append(slab)

    def _room_for(self, data: np.ndarray) -> _Pending:
        like = data[:0]
        if self._pending and (self._pending.like.shape, self._pending.like.dtype) != (like.shape, like.dtype):
            self.flush()
        if not self._pending:
            self._pending = _Pending(self._take(max(SLAB_BYTES, data[:1].nbytes)), like)
        return self._pending

    def _take(self, size: int) -> int:
        """A free slab of at least this many bytes."""
        while True:
            for slab in self._free:
                if len(self._slabs[slab]) >= size:
                    self._free.remove(slab)
                    return slab
            held = sum(map(len, self._slabs.values()))
            if len(self._slabs) < FEWEST_SLABS or held + size <= DECODER_BYTES:
                return self._create(size)
            if self._free:  # all too small
                slab = self._free.pop()
                del self._slabs[slab]
                self._send(DroppedSlab(slab))
            else:
                self._free.append(self._wait_for_free())

    def _create(self, size: int) -> int:
        descriptor = _anonymous_file(size)
        try:
            self._number += 1
            self._slabs[self._number] = mmap.mmap(descriptor, size)
            self._send(NewSlab(self._number), [descriptor])
        finally:
            os.close(descriptor)
        return self._number


class SlabReader:
    """The worker's side of one decoder's slabs."""

    def __init__(self) -> None:
        self._slabs: dict[int, mmap.mmap] = {}

    def add(self, new: NewSlab, descriptor: int) -> None:
        try:
            self._slabs[new.slab] = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)

    def drop(self, dropped: DroppedSlab) -> None:
        del self._slabs[dropped.slab]

    def windows(self, shared: SharedWindows) -> Windows:
        """The windows without a copy; they are valid until the slab is returned."""
        like = np.empty((0, *shared.shape[1:]), shared.dtype)
        return Windows(_view(self._slabs[shared.slab], shared.shape[0], like), shared.times, shared.metadata)


def _view(slab: mmap.mmap, rows: int, like: np.ndarray) -> np.ndarray:
    shape = (rows, *like.shape[1:])
    return np.frombuffer(slab, like.dtype, int(np.prod(shape))).reshape(shape)


def _anonymous_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("windows", os.MFD_CLOEXEC)
    else:  # macOS
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
