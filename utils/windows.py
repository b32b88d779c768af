"""Window and hop arithmetic for any sequence: audio samples, spectrogram frames, video frames.

items    0 1 2 3 4 5 6 7 8 9        length 4, hop 3
window 0 [-----]
window 1       [-----]
window 2             [-----]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np


def num_windows(items: int, length: int, hop: int) -> int:
    """The number of complete windows in `items`."""
    return max(0, (items - length) // hop + 1)


def num_windows_to_end(items: int, length: int, hop: int) -> int:
    """The number of windows until one reaches the end; the last one may be incomplete."""
    complete = num_windows(items, length, hop)
    seen = max(0, length - hop) if complete else 0  # items of what is left that were in the window before
    return complete + (items - complete * hop > seen)


def sliding_windows(blocks: Iterable[np.ndarray], length: int, hop: int) -> Iterator[np.ndarray]:
    """Blocks (n, ...) of a stream -> its windows (m, length, ...), read-only views; an incomplete one is dropped."""
    pending: np.ndarray | None = None
    skip = 0  # items still to skip if the hop is longer than the window
    for block in blocks:
        pending = block if pending is None else np.concatenate([pending, block])
        pending, skip = pending[skip:], max(0, skip - len(pending))
        windows = num_windows(len(pending), length, hop)
        if windows:
            yield np.moveaxis(np.lib.stride_tricks.sliding_window_view(pending, length, axis=0)[::hop], -1, 1)
            pending, skip = pending[windows * hop :], max(0, windows * hop - len(pending))


def windows_to_end(blocks: Iterable[np.ndarray], length: int, hop: int) -> Iterator[np.ndarray]:
    """Blocks (n, ...) of a stream -> its windows (<= length, ...), one by one, until one reaches the end.

    All but the last one are complete.
    """
    pending: np.ndarray | None = None
    skip = seen = 0  # items still to skip; items of `pending` that were in the window before
    for block in blocks:
        pending = block if pending is None else np.concatenate([pending, block])
        pending, skip = pending[skip:], max(0, skip - len(pending))
        while len(pending) >= length:
            yield pending[:length]
            pending, skip, seen = pending[hop:], max(0, hop - len(pending)), max(0, length - hop)
    if pending is not None and len(pending) > seen:
        yield pending


def num_missing(items: int, length: int, hop: int) -> int:
    """The number of items to add so that the last one is in a complete window (or in the gap after one)."""
    last = max(0, min(-(-(items - length) // hop), (items - 1) // hop))  # reaches the end; starts before it
    return max(0, last * hop + length - items) if items else 0


def pad_last(blocks: Iterable[np.ndarray], length: int, hop: int) -> Iterator[np.ndarray]:
    """Zero-pad the end of the stream so that its last item is in a complete window (or in the gap after one)."""
    total = 0
    for block in blocks:
        total += len(block)
        yield block
    if missing := num_missing(total, length, hop):
        yield np.zeros((missing, *block.shape[1:]), block.dtype)


def spans(first: int, number: int, length: float, hop: float, start: float = 0.0) -> np.ndarray:
    """Start and end, in seconds, of the windows `first`, `first` + 1, ...: (number, 2)."""
    starts = start + hop * np.arange(first, first + number)
    return np.stack([starts, starts + length], axis=1)
