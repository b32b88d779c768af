"""Training data for a classifier on VGGish: Google's synthetic sine, ramp and noise, or the windows of files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from torch_zoo.models.vggish import logmel
from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.utils.media.resampling import resample
from torch_zoo.utils.terminal.loops import progress
from torch_zoo.utils.training.folder import HELD_OUT
from torch_zoo.utils.training.labeled import Labeled, concatenated, shuffled
from torch_zoo.utils.types import MediaError, Source

BATCH_SIZE = 15  # Google's
BATCHES, VALIDATION_SIGNALS = 100, 20  # in an epoch; of each class
SIGNAL_RATE = 44_100  # Hz
SIGNAL_SECONDS = 5.0


class Synthetic:
    """Google's three classes, with new signals for every batch; an epoch is 100 batches.

    The validation set is 20 signals of each class from a separate random generator.
    """

    classes = ("sine", "ramp", "noise")

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __str__(self) -> str:
        signals, batches = VALIDATION_SIGNALS * len(self.classes), BATCHES * BATCH_SIZE
        return f"sine, ramp and noise, synthesized: {batches:,} windows for training, {signals} signals for validation"

    @cached_property
    def validation(self) -> Labeled:
        random = np.random.default_rng([self._seed, HELD_OUT])
        numbers = progress(range(VALIDATION_SIGNALS), "synthesizing for validation", VALIDATION_SIGNALS, "batch")
        return concatenated(self._labeled(random) for _ in numbers)

    @property
    def validation_clips(self) -> list[str]:
        windows = BATCH_SIZE // len(self.classes)
        names = (f"{name} {number + 1}" for number in range(VALIDATION_SIGNALS) for name in self.classes)
        return [name for name in names for _ in range(windows)]

    def epoch(self, random: np.random.Generator) -> Iterator[Labeled]:
        for _ in range(BATCHES):
            yield from shuffled(self._labeled(random), random, BATCH_SIZE)

    def _labeled(self, random: np.random.Generator) -> Labeled:
        """The windows of a new signal of each class, in their order."""
        examples = [front_end(signal, SIGNAL_RATE) for signal in signals(random)]
        labels = np.repeat(np.arange(len(examples)), [len(each) for each in examples])
        return Labeled(np.concatenate(examples), labels)


def signals(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three arrays (220500,): a sine of 100 ... 1000 Hz, a ramp to -5 ... 5, noise with mean -1 and deviation 1."""
    time = np.arange(round(SIGNAL_SECONDS * SIGNAL_RATE)) / SIGNAL_RATE
    sine = np.sin(2 * np.pi * random.uniform(100.0, 1000.0) * time)
    ramp = random.uniform(-1.0, 1.0) * time
    return sine, ramp, random.normal(-1.0, 1.0, len(time))


def front_end(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mono samples (n,) -> examples (m, 1, 96, 64) float32."""
    at_16_khz = resample([samples], rate, logmel.SAMPLE_RATE, "resampy_0_2")
    parts = list(logmel.examples(at_16_khz, logmel.EXAMPLE_FRAMES))
    return np.concatenate([np.zeros((0, logmel.EXAMPLE_FRAMES, logmel.BANDS), np.float32), *parts])[:, None]


def examples_of(path: str | Path, extractor: VGGishExtractor) -> np.ndarray:
    """A media file -> examples (n, 1, 96, 64), n > 0, 24 KiB each. Raises MediaError, also if it is too short."""
    parts = [windows.data for windows in extractor.windows(Source(str(path), Path(path).stem))]
    if not parts:
        raise MediaError(f"shorter than one window of {logmel.EXAMPLE_SECONDS} s")
    return np.concatenate(parts)
