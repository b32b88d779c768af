"""VGGSound's front end in NumPy: 16 kHz samples -> normalized log spectrogram, all in float64.

Procedure and constants as in the published loader (hche11/VGGSound), which calls scipy.signal.spectrogram with its
defaults: Tukey window (a quarter of it tapered), mean of each segment removed, one-sided power spectral density.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SAMPLE_RATE = 16_000  # Hz
SEGMENT_SAMPLES = 512  # 32 ms
HOP_SAMPLES = 159  # segments overlap by 353 samples
BINS = SEGMENT_SAMPLES // 2 + 1  # 31.25 Hz apart
TAPERED = 0.25  # of the window
LOG_OFFSET = 1e-7
STD_OFFSET = 1e-9

SEGMENTS_AT_ONCE = 100  # a batch of this size stays in a core's cache


def num_segments(samples: int) -> int:
    """Columns of the spectrogram of this number of samples: 1004 of ten seconds."""
    return (samples - SEGMENT_SAMPLES) // HOP_SAMPLES + 1


def normalized_log_spectrogram(samples: np.ndarray) -> np.ndarray:
    """A window (n,) in [-1, 1], n >= 512 -> the network's input (257, num_segments(n)) float32."""
    return normalized(log_spectrogram(samples)).astype(np.float32)


def log_spectrogram(samples: np.ndarray) -> np.ndarray:
    """(n,) in [-1, 1] -> (257, num_segments(n)), natural log of power spectral density (1 / Hz) + 1e-7."""
    segments = np.lib.stride_tricks.sliding_window_view(samples, SEGMENT_SAMPLES)[::HOP_SAMPLES]
    density = np.empty((BINS, len(segments)))
    for first in range(0, len(segments), SEGMENTS_AT_ONCE):
        part = segments[first : first + SEGMENTS_AT_ONCE]
        spectrum = np.fft.rfft((part - part.mean(axis=1, keepdims=True)) * tukey())
        density[:, first : first + SEGMENTS_AT_ONCE] = (spectrum.real**2 + spectrum.imag**2).T
    density /= SAMPLE_RATE * (tukey() ** 2).sum()
    density[1:-1] *= 2  # the negative frequencies
    return np.log(density + LOG_OFFSET)


def normalized(spectrogram: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance over all bins and segments; of a constant one, zeros."""
    return (spectrogram - spectrogram.mean()) / (spectrogram.std() + STD_OFFSET)


@lru_cache(maxsize=1)
def tukey() -> np.ndarray:
    """The periodic Tukey window, (512,): 64 samples of a Hann window's flank on either side."""
    position = np.arange(SEGMENT_SAMPLES) / SEGMENT_SAMPLES
    flank = np.minimum(1.0, 2 * np.minimum(position, 1 - position) / TAPERED)
    return 0.5 - 0.5 * np.cos(np.pi * flank)
