"""Ten kinds of sound, made by code: a task that a classifier can learn from scratch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000  # Hz

Random = np.random.Generator


def tone(hertz: np.ndarray | float, time: np.ndarray) -> np.ndarray:
    """A sine whose frequency may change over time."""
    return np.sin(2 * np.pi * np.cumsum(np.broadcast_to(hertz, time.shape)) / RATE)


def band_noise(low: float, high: float, time: np.ndarray, random: Random) -> np.ndarray:
    spectrum = np.fft.rfft(random.normal(size=len(time)))
    hertz = np.fft.rfftfreq(len(time), 1 / RATE)
    noise = np.fft.irfft(np.where((low <= hertz) & (hertz < high), spectrum, 0), len(time))
    return noise / noise.std() / 4


CLASSES: dict[str, Callable[[np.ndarray, Random], np.ndarray]] = {
    "bass hum": lambda t, r: tone(r.uniform(80, 250), t),
    "chirp, falling": lambda t, r: tone(np.linspace(r.uniform(5000, 7000), r.uniform(300, 900), len(t)), t),
    "chirp, rising": lambda t, r: tone(np.linspace(r.uniform(300, 900), r.uniform(5000, 7000), len(t)), t),
    "clicks": lambda t, r: (np.arange(len(t)) % int(r.uniform(800, 1600)) < 8) * r.normal(size=len(t)),
    "harmonics": lambda t, r: sum(tone(k * f, t) / k for f in [r.uniform(300, 500)] for k in range(1, 12)),
    "hiss": lambda t, r: band_noise(5000, 8000, t, r),
    "rumble": lambda t, r: band_noise(0, 400, t, r),
    "vibrato": lambda t, r: tone(2000 + 800 * np.sin(2 * np.pi * r.uniform(4, 7) * t), t),
    "whistle": lambda t, r: tone(r.uniform(2500, 4500), t),
    "white noise": lambda t, r: band_noise(0, 8000, t, r),
}


def sound(name: str, seconds: float, random: Random) -> np.ndarray:
    """(n,) in [-1, 1], of random loudness, with faint noise behind it."""
    time = np.arange(round(seconds * RATE)) / RATE
    signal = CLASSES[name](time, random)
    loudness = random.uniform(0.1, 0.9) / np.abs(signal).max()
    return np.clip(loudness * signal + 0.003 * random.normal(size=len(time)), -1, 1)


def write_classes(
    folder: Path, clips: int, seconds: float, seed: int = 0, names: tuple[str, ...] = tuple(CLASSES)
) -> Path:
    """folder/<class>/<number>.wav, so many of each class."""
    random = np.random.default_rng(seed)
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(clips):
            soundfile.write(folder / name / f"{number}.wav", sound(name, seconds, random), RATE)
    return folder
