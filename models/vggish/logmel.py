"""VGGish's log-mel front end in NumPy: 16 kHz samples -> frames of 64 bands -> 96 x 64 examples.

Procedure and constants as in Google's code (tensorflow/models, research/audioset/vggish): periodic Hann window,
magnitude (not power) spectrum, HTK mel scale with triangular filters that are linear in mel, natural logarithm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from torch_zoo.utils import windows

SAMPLE_RATE = 16_000  # Hz
WINDOW_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 160  # 10 ms
FFT_LENGTH = 512
BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 125.0, 7_500.0
LOG_OFFSET = 0.01

HOP_SECONDS = 0.010
EXAMPLE_FRAMES = 96  # 0.96 s
EXAMPLE_SECONDS = 0.96
EXAMPLE_SAMPLES = (EXAMPLE_FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES

FRAMES_AT_ONCE = 100  # what is computed of so many stays in a core's cache
BANDS_AT_ONCE = 16


def examples(samples: Iterable[np.ndarray], hop_frames: int, pad: bool = False) -> Iterator[np.ndarray]:
    """Blocks (n,) of 16 kHz samples in [-1, 1] -> log-mel examples (m, 96, 64) float32, `hop_frames` * 10 ms apart.

    The incomplete last example is dropped, or padded with silence if `pad`.
    """
    if pad:
        samples = windows.pad_last(samples, EXAMPLE_SAMPLES, hop_frames * HOP_SAMPLES)
    frames = (log_mel(frame) for frame in windows.sliding_windows(samples, WINDOW_SAMPLES, HOP_SAMPLES))
    for example in windows.sliding_windows(frames, EXAMPLE_FRAMES, hop_frames):
        yield example.copy()


def num_examples(samples: int, hop_frames: int, pad: bool = False) -> int:
    """The number of examples that so many samples make."""
    if pad:
        samples += windows.num_missing(samples, EXAMPLE_SAMPLES, hop_frames * HOP_SAMPLES)
    return windows.num_windows(windows.num_windows(samples, WINDOW_SAMPLES, HOP_SAMPLES), EXAMPLE_FRAMES, hop_frames)


def log_mel(frames: np.ndarray) -> np.ndarray:
    """Frames of samples (n, 400) -> (n, 64) float32, the natural log of mel magnitude + 0.01.

    The transform is in float64: in float32 its rounding would show in the bands that are quiet beside a loud one. From
    there on each number is rounded by itself, so float32 keeps seven digits of the quietest.
    """
    result = np.empty((len(frames), BANDS), np.float32)
    padded = np.zeros((FRAMES_AT_ONCE, FFT_LENGTH))
    for first in range(0, len(frames), FRAMES_AT_ONCE):
        part = frames[first : first + FRAMES_AT_ONCE]
        np.multiply(part, hann(), out=padded[: len(part), :WINDOW_SAMPLES])
        rows = padded[: max(2, len(part))]  # the product of a single row would be rounded differently
        magnitude = np.abs(np.fft.rfft(rows).astype(np.complex64))
        for bins, bands, weights in _mel_blocks():
            result[first : first + FRAMES_AT_ONCE, bands] = (magnitude[:, bins] @ weights)[: len(part)]
    return np.log(result + np.float64(LOG_OFFSET)).astype(np.float32)


@lru_cache(maxsize=1)
def hann() -> np.ndarray:
    """The periodic Hann window, (400,): its period is 400 samples, that of the symmetric window 399."""
    return 0.5 - 0.5 * np.cos(2 * np.pi / WINDOW_SAMPLES * np.arange(WINDOW_SAMPLES))


@lru_cache(maxsize=1)
def mel_matrix() -> np.ndarray:
    """The mel filter bank, (257, 64): FFT bins to bands."""
    bins = mel(np.linspace(0.0, SAMPLE_RATE / 2, FFT_LENGTH // 2 + 1))[:, None]
    edges = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), BANDS + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - lower) / (center - lower)
    falling = (upper - bins) / (upper - center)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0  # ignore DC
    return weights


@lru_cache(maxsize=1)
def _mel_blocks() -> list[tuple[slice, slice, np.ndarray]]:
    """Bins, bands, and the float32 weights between them: neighbors share most bins, and elsewhere all is zero."""
    blocks = []
    for first in range(0, BANDS, BANDS_AT_ONCE):
        bands = slice(first, first + BANDS_AT_ONCE)
        used = np.flatnonzero(mel_matrix()[:, bands].any(axis=1))
        bins = slice(used[0], used[-1] + 1)
        blocks.append((bins, bands, mel_matrix()[bins, bands].astype(np.float32)))
    return blocks


def mel(hertz: float | np.ndarray) -> np.ndarray:
    """Hertz to HTK mel."""
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)
