"""Resample a stream of audio block by block, with the same result as resampling it at once.

`resampy` (windowed-sinc interpolation by J. O. Smith) is linear and, for a rational ratio, periodic: its taps repeat
every `up` outputs. So the taps are tabulated once per rate and applied as a matrix product, which gives the same
numbers about thirty times faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

LARGEST_UP = 1280  # outputs per period; above it (e.g. 47,999 Hz -> 16 kHz) the matrix would take gigabytes
BAND = 40  # columns multiplied at once: neighboring columns share most of their nonzero rows
OUTPUTS_PER_BLOCK = 160  # columns of the matrix if the period is shorter


@dataclass(frozen=True, slots=True)
class SincFilter:
    """A Kaiser-windowed sinc filter with `precision` samples per zero crossing."""

    zeros: int
    precision: int
    rolloff: float
    beta: float
    accumulated_clock: bool = False  # True: the time of each output is a running float64 sum, as in resampy < 0.3

    def half_window(self) -> np.ndarray:
        """The right half, (precision * zeros + 1,)."""
        points = self.precision * self.zeros + 1
        sinc = self.rolloff * np.sinc(self.rolloff * np.linspace(0, self.zeros, points))
        return sinc * np.kaiser(2 * points - 1, self.beta)[points - 1 :]


Resampler = Literal["resampy_0_2", "resampy", "soxr"]
FILTERS: dict[Resampler, SincFilter] = {
    "resampy_0_2": SincFilter(64, 512, 0.9475937167399596, 14.769656459379492, accumulated_clock=True),
    "resampy": SincFilter(50, 8192, 0.9173473712608761, 12.984585247040012),
}


def resample(blocks: Iterable[np.ndarray], rate: int, target: int, resampler: Resampler) -> Iterator[np.ndarray]:
    """Mono blocks (n,) float64 at `rate` Hz -> blocks at `target` Hz; int(n * target / rate) samples in all."""
    if rate == target:
        yield from blocks
    elif resampler == "soxr":
        yield from _soxr(blocks, rate, target)
    elif target // math.gcd(rate, target) > LARGEST_UP:
        yield from _resampy(blocks, rate, target, FILTERS[resampler])
    else:
        yield from _polyphase(blocks, rate, target, FILTERS[resampler])


@dataclass(frozen=True, slots=True)
class _Taps:
    """The linear map from x[start - before : start - before + width] to one block of outputs."""

    bands: list[tuple[slice, slice, np.ndarray]]  # inputs, outputs, and the matrix between them
    width: int  # inputs per block
    outputs: int
    late: np.ndarray  # (width of one wing pair,): taps of an integer position that the clock reaches from just below
    before: int  # inputs needed before the first output's own position
    hop: int  # inputs from one block to the next


def _polyphase(blocks: Iterable[np.ndarray], rate: int, target: int, sinc: SincFilter) -> Iterator[np.ndarray]:
    divisor = math.gcd(rate, target)
    up, down = target // divisor, rate // divisor
    taps = _taps(up, down, sinc)
    clock = _Clock(rate, target, up) if sinc.accumulated_clock else None

    def apply(inputs: np.ndarray, count: int) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(inputs, taps.width)[: count * taps.hop : taps.hop]
        windows = np.ascontiguousarray(windows)  # BLAS can't use overlapping rows
        blocks = np.empty((count, taps.outputs))
        for rows, columns, matrix in taps.bands:
            np.matmul(windows[:, rows], matrix, out=blocks[:, columns])
        if clock:
            late = clock.late(count * taps.outputs).reshape(count, -1)
            for period in np.flatnonzero(late.any(axis=0)):
                inside = windows[late[:, period], period * down : period * down + len(taps.late)]
                blocks[late[:, period], period * up] = inside @ taps.late
        return blocks.ravel()

    pending = np.zeros(taps.before)
    received = emitted = 0
    for block in blocks:
        received += len(block)
        pending = np.concatenate([pending, block])
        count = (len(pending) - taps.width) // taps.hop + 1
        if count > 0:
            yield apply(pending, count)
            emitted += count * taps.outputs
            pending = pending[count * taps.hop :]

    missing = int(received * (target / rate)) - emitted
    if missing > 0:
        count = -(-missing // taps.outputs)
        padded = np.zeros((count - 1) * taps.hop + taps.width)
        padded[: len(pending)] = pending[: len(padded)]
        yield apply(padded, count)[:missing]


@lru_cache(maxsize=8)
def _taps(up: int, down: int, sinc: SincFilter) -> _Taps:
    scale = min(1.0, up / down)
    half = sinc.half_window() * scale
    slope = np.diff(half, append=half[-1])
    step = int(scale * sinc.precision)  # resampy truncates here: 185 for 185.76, which widens the filter a little

    def wing(distance: float) -> np.ndarray:
        """Weights of the inputs at `distance`, `distance` + 1, ... (in inputs) from an output."""
        position = distance * scale * sinc.precision
        offset = int(position)
        index = offset + step * np.arange((len(half) - offset) // step)
        return half[index] + (position - offset) * slope[index]

    reach = len(half) // step + 1  # inputs on either side
    periods = max(1, OUTPUTS_PER_BLOCK // up)
    outputs, hop = up * periods, down * periods
    matrix = np.zeros((reach + hop + reach, outputs))

    def place(column: np.ndarray, center: int, fraction: float) -> None:
        left, right = wing(fraction), wing(1.0 - fraction)
        column[center - len(left) + 1 : center + 1] = left[::-1]
        column[center + 1 : center + 1 + len(right)] = right

    for output in range(outputs):
        whole, rest = divmod(output * down, up)
        place(matrix[:, output], reach + whole, rest / up)
    late = np.zeros(2 * reach + 1)
    place(late, reach - 1, 1.0)
    bands = []
    for first in range(0, outputs, BAND):
        columns = slice(first, first + BAND)
        used = np.flatnonzero(matrix[:, columns].any(axis=1))
        rows = slice(used[0], used[-1] + 1)
        bands.append((rows, columns, matrix[rows, columns].copy()))
    return _Taps(bands, len(matrix), outputs, late, before=reach, hop=hop)


class _Clock:
    """The output clock of resampy 0.2: t accumulates 1 / ratio in float64.

    At integer times, the sum is just below or just above the integer. If below, the left wing starts one input earlier;
    since the table step is truncated, the filter then differs slightly: by up to 3.8e-4.
    """

    def __init__(self, rate: int, target: int, up: int) -> None:
        self._time = 0.0
        self._count = 0
        self._increment = 1.0 / (target / rate)
        self._up = up

    def late(self, outputs: int) -> np.ndarray:
        """Advance by `outputs`, a multiple of the period; for each period, whether its integer time is just below."""
        steps = np.full(outputs + 1, self._increment)
        steps[0] = self._time
        times = np.add.accumulate(steps)
        self._time = times[-1]
        whole = times[: -1 : self._up]
        return whole < np.rint(whole)


def _resampy(blocks: Iterable[np.ndarray], rate: int, target: int, sinc: SincFilter) -> Iterator[np.ndarray]:
    """resampy itself, a few seconds at a time; it is cut at full seconds, where the phase is zero for any rate."""
    import resampy

    def convert(inputs: np.ndarray) -> np.ndarray:
        return resampy.resample(
            inputs,
            rate,
            target,
            filter="sinc_window",
            window=lambda points: np.kaiser(points, sinc.beta),
            num_zeros=sinc.zeros,
            precision=int(math.log2(sinc.precision)),
            rolloff=sinc.rolloff,
        )

    seconds, margin = 8, 1  # per output block; context on both sides, much longer than the filter
    pending, lead = np.zeros(0), 0  # `lead`: seconds of `pending` that were already output
    received = emitted = 0
    for block in blocks:
        received += len(block)
        pending = np.concatenate([pending, block])
        while len(pending) >= (lead + seconds + margin) * rate:
            part = convert(pending[: (lead + seconds + margin) * rate])
            yield part[lead * target : (lead + seconds) * target]
            emitted += seconds * target
            pending, lead = pending[(lead + seconds - margin) * rate :], margin
    missing = int(received * (target / rate)) - emitted
    if missing > 0:
        yield convert(pending)[lead * target :][:missing]


def _soxr(blocks: Iterable[np.ndarray], rate: int, target: int) -> Iterator[np.ndarray]:
    import soxr

    stream = soxr.ResampleStream(rate, target, 1, dtype="float64", quality="VHQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0), last=True)
