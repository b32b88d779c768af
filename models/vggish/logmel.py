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


def examples(samples: Iterable[np.ndarray], hop_frames: int, pad: bool = False) -> Iterator[np.ndarray]:
    """Blocks (n,) of 16 kHz samples in [-1, 1] -> log-mel examples (m, 96, 64) float32, `hop_frames` * 10 ms apart.

    The incomplete last example is dropped, or padded with silence if `pad`.
    """
    if pad:
        span = (EXAMPLE_FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES
        samples = windows.pad_last(samples, span, hop_frames * HOP_SAMPLES)
    frames = (log_mel(frame) for frame in windows.sliding_windows(samples, WINDOW_SAMPLES, HOP_SAMPLES))
    for example in windows.sliding_windows(frames, EXAMPLE_FRAMES, hop_frames):
        yield example.astype(np.float32)


def log_mel(frames: np.ndarray) -> np.ndarray:
    """Frames of samples (n, 400) -> log mel magnitude (n, 64) float64: the natural log of magnitude + 0.01."""
    spectrum = np.fft.rfft(frames * hann(), FFT_LENGTH)
    bins, weights = _used_bins()
    mel_magnitude = np.abs(spectrum[:, bins]) @ weights
    mel_magnitude += LOG_OFFSET
    return np.log(mel_magnitude, out=mel_magnitude)


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
def _used_bins() -> tuple[slice, np.ndarray]:
    """The bins with a nonzero weight in any band, and their rows of the mel matrix."""
    used = np.flatnonzero(mel_matrix().any(axis=1))
    bins = slice(used[0], used[-1] + 1)
    return bins, mel_matrix()[bins].copy()


def mel(hertz: float | np.ndarray) -> np.ndarray:
    """Hertz to HTK mel."""
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)
