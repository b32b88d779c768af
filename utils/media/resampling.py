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

LARGEST_UP = 1280  # outputs a period; above it (e.g. 47,999 Hz -> 16 kHz) the matrix would take gigabytes
BAND = (
    32  # columns multiplied at once: neighboring ones share most of their inputs, and what they don't share are zeros
)
OUTPUTS_PER_BLOCK = 160  # columns of the matrix where the period is shorter than that
OUTPUTS_AT_ONCE = 8_000  # the intermediate results of this many stay in a core's cache


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


Resampler = Literal["resampy_0_2", "resampy", "soxr", "swr"]
FILTERS: dict[Resampler, SincFilter] = {
    "resampy_0_2": SincFilter(64, 512, 0.9475937167399596, 14.769656459379492, accumulated_clock=True),
    "resampy": SincFilter(50, 8192, 0.9173473712608761, 12.984585247040012),
}


def resample(blocks: Iterable[np.ndarray], rate: int, target: int, resampler: Resampler) -> Iterator[np.ndarray]:
    """Mono blocks (n,) float64 at `rate` Hz -> blocks at `target` Hz; int(n * target / rate) samples in all.

    (`swr`, FFmpeg's own, rounds to float32 and makes a few samples more or less.)
    """
    if rate == target:
        yield from blocks
    elif resampler == "soxr":
        yield from _soxr(blocks, rate, target)
    elif resampler == "swr":
        yield from _swr(blocks, rate, target)
    elif target // math.gcd(rate, target) > LARGEST_UP:
        yield from _resampy(blocks, rate, target, FILTERS[resampler])
    else:
        yield from _polyphase(blocks, rate, target, FILTERS[resampler])


def num_resampled(samples: int, rate: int, target: int) -> int:
    """The number of samples that so many become."""
    return samples if rate == target else int(samples * (target / rate))


def is_exact(resampler: Resampler, rate: int, target: int) -> bool:
    """Is `num_resampled` the exact number for this resampler?"""
    return rate == target or resampler in FILTERS


@dataclass(frozen=True, slots=True)
class _Taps:
    """The linear map from x[start - before : start - before + width] to one block of outputs."""

    bands: list[tuple[int, slice, np.ndarray]]  # first input, outputs, and the matrix from inputs to outputs
    width: int  # inputs of a block
    outputs: int
    late: np.ndarray  # (width of one wing pair,): taps of an integer position that the clock reaches from just below
    before: int  # inputs needed before the first output's own position
    hop: int  # inputs from one block to the next


def _polyphase(blocks: Iterable[np.ndarray], rate: int, target: int, sinc: SincFilter) -> Iterator[np.ndarray]:
    divisor = math.gcd(rate, target)
    up, down = target // divisor, rate // divisor
    taps = _taps(up, down, sinc)
    time = 0.0  # of the running clock

    def apply(inputs: np.ndarray, count: int) -> np.ndarray:
        nonlocal time
        outputs = np.empty((count, taps.outputs))
        step = max(1, OUTPUTS_AT_ONCE // taps.outputs)
        for first in range(0, count, step):
            _apply_bands(inputs[first * taps.hop :], taps, outputs[first : first + step])
        flat = outputs.ravel()
        if sinc.accumulated_clock:
            late, time = _late_periods(time, 1.0 / (target / rate), up, flat.size)
            windows = np.lib.stride_tricks.sliding_window_view(inputs, len(taps.late))
            flat[late * up] = windows[late * down] @ taps.late
        return flat

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

    missing = num_resampled(received, rate, target) - emitted
    if missing > 0:
        count = -(-missing // taps.outputs)
        padded = np.zeros((count - 1) * taps.hop + taps.width)
        padded[: len(pending)] = pending[: len(padded)]
        yield apply(padded, count)[:missing]


def _apply_bands(inputs: np.ndarray, taps: _Taps, outputs: np.ndarray) -> None:
    """Fill `outputs` (count, taps.outputs)."""
    for start, columns, matrix in taps.bands:
        apart = -(-len(matrix) // taps.hop)  # BLAS takes rows from where they lie if they don't overlap: every second
        for first in range(min(apart, len(outputs))):
            rows = outputs[first::apart, columns]
            windows = np.lib.stride_tricks.as_strided(
                inputs[first * taps.hop + start :],
                (len(rows), len(matrix)),
                (apart * taps.hop * inputs.itemsize, inputs.itemsize),
                writeable=False,
            )
            np.matmul(windows, matrix, out=rows)


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
        bands.append((int(used[0]), columns, matrix[used[0] : used[-1] + 1, columns].copy()))
    return _Taps(bands, len(matrix), outputs, late, before=reach, hop=hop)


@lru_cache(maxsize=256)  # the same from one file to the next
def _late_periods(time: float, increment: float, up: int, outputs: int) -> tuple[np.ndarray, float]:
    """The periods whose integer time lands just below it, of the next ones, and the time behind those.

    The output clock of resampy 0.2: t, here from `time` on, accumulates the increment in float64. At integer times
    the sum lands just below or just above the integer. Below, the left wing starts one input earlier, and since
    the table step is truncated that is not quite the same filter: up to 3.8e-4.
    """
    steps = np.full(outputs + 1, increment)
    steps[0] = time
    times = np.add.accumulate(steps)
    whole = times[:-1:up]
    return np.flatnonzero(whole < np.rint(whole)), float(times[-1])


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
    missing = num_resampled(received, rate, target) - emitted
    if missing > 0:
        yield convert(pending)[lead * target :][:missing]


def _soxr(blocks: Iterable[np.ndarray], rate: int, target: int) -> Iterator[np.ndarray]:
    import soxr

    stream = soxr.ResampleStream(rate, target, 1, dtype="float64", quality="VHQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0), last=True)


def _swr(blocks: Iterable[np.ndarray], rate: int, target: int) -> Iterator[np.ndarray]:
    """libswresample with its defaults, as `ffmpeg -ar` uses it."""
    from av import AudioFrame, AudioResampler

    converter = AudioResampler(format="flt", layout="mono", rate=target)
    for block in filter(len, blocks):
        frame = AudioFrame.from_ndarray(block.astype(np.float32)[None], format="flt", layout="mono")
        frame.sample_rate = rate
        yield from (each.to_ndarray()[0].astype(np.float64) for each in converter.resample(frame))
    yield from (each.to_ndarray()[0].astype(np.float64) for each in converter.resample(None))
