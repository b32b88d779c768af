"""Window arithmetic compared with a naive loop, for any stream and any block sizes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.utils.windows import (
    num_missing,
    num_windows,
    num_windows_to_end,
    pad_last,
    sliding_windows,
    spans,
    windows_to_end,
)

SIZES = st.lists(st.integers(0, 12), max_size=6)
LENGTHS = st.integers(1, 7)
HOPS = st.integers(1, 10)


def stream(sizes: list[int]) -> list[np.ndarray]:
    """Blocks of these sizes that count 1, 2, ... on; two numbers per item."""
    numbers = np.arange(1, sum(sizes) + 1)[:, None] * [1, -1]
    return np.split(numbers, np.cumsum(sizes)[:-1]) if sizes else []


def naive(items: np.ndarray, length: int, hop: int) -> list[np.ndarray]:
    return [items[start : start + length] for start in range(0, len(items), hop) if start + length <= len(items)]


def joined(blocks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros((0, 2), int), *blocks])


@given(SIZES, LENGTHS, HOPS)
def test_windows_equal_those_of_the_whole_stream(sizes, length, hop):
    expected = naive(joined(stream(sizes)), length, hop)
    windows = [window for block in sliding_windows(stream(sizes), length, hop) for window in block]
    assert len(windows) == len(expected) == num_windows(sum(sizes), length, hop)
    for window, other in zip(windows, expected, strict=True):
        np.testing.assert_array_equal(window, other)


@given(SIZES, LENGTHS, HOPS)
def test_windows_to_the_end_hold_every_item_that_hops_do_not_skip(sizes, length, hop):
    items = joined(stream(sizes))
    expected = []
    for start in range(0, len(items), hop):
        expected.append(items[start : start + length])
        if start + length >= len(items):
            break
    windows = list(windows_to_end(stream(sizes), length, hop))
    assert len(windows) == len(expected) == num_windows_to_end(len(items), length, hop)
    for window, other in zip(windows, expected, strict=True):
        np.testing.assert_array_equal(window, other)


@given(SIZES, LENGTHS, HOPS)
def test_padding_completes_the_last_window_only(sizes, length, hop):
    items = joined(stream(sizes))
    padded = joined(list(pad_last(stream(sizes), length, hop)))
    np.testing.assert_array_equal(padded[: len(items)], items)
    assert not padded[len(items) :].any()
    assert len(padded) == len(items) + num_missing(len(items), length, hop)
    windows = naive(padded, length, hop)
    if hop <= length:
        assert {int(item) for window in windows for item in window[:, 0]} >= set(range(1, len(items) + 1))
    starts = range(0, len(items), hop)  # a window that starts after the last item would be empty
    assert len(windows) == sum(1 for start in starts if start == 0 or start - hop + length < len(items))


@given(st.integers(0, 1000), st.integers(0, 5), st.floats(0, 100))
def test_times_follow_the_hop(first, number, start):
    times = spans(first, number, length=0.96, hop=0.48, start=start)
    assert times.shape == (number, 2)
    for row, index in zip(times, range(first, first + number), strict=True):
        np.testing.assert_allclose(row, [start + 0.48 * index, start + 0.48 * index + 0.96], rtol=1e-15)
