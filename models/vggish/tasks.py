"""What a classifier on VGGish can learn: to tell sine, ramp and noise apart, or the folders of a person's sounds."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from tqdm import tqdm

from torch_zoo.models.vggish import logmel
from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.media.resampling import resample
from torch_zoo.utils.sources import MEDIA_SUFFIXES
from torch_zoo.utils.types import MediaError, Source, UsageError

log = logging.getLogger(__name__)

BATCH_SIZE = 15
HELD_OUT = 1  # beside the seed, for what is kept from training
SIGNAL_RATE = 44_100  # Hz
SIGNAL_SECONDS = 5.0


class Labelled(NamedTuple):
    """Examples (n, 1, 96, 64), or embeddings (n, 128), and their classes, one-hot (n, classes); all float32."""

    inputs: np.ndarray
    labels: np.ndarray


class Task(Protocol):
    """Sounds of some classes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, in the order of the labels' columns."""

    @property
    def validation(self) -> Labelled:
        """Examples that are never trained on."""

    def epoch(self, random: np.random.Generator) -> Iterator[Labelled]:
        """Batches of examples to train on, once through."""


class Synthetic:
    """Google's three classes, fresh signals for every batch; an epoch is a hundred batches.

    The validation set is twenty batches from a generator of its own.
    """

    classes = ("sine", "ramp", "noise")

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @cached_property
    def validation(self) -> Labelled:
        random = np.random.default_rng([self._seed, HELD_OUT])
        return joined(self._batch(random) for _ in range(20))

    def epoch(self, random: np.random.Generator) -> Iterator[Labelled]:
        return (self._batch(random) for _ in range(100))

    def _batch(self, random: np.random.Generator) -> Labelled:
        examples = [front_end(signal, SIGNAL_RATE) for signal in signals(random)]
        labels = np.repeat(np.eye(len(examples), dtype=np.float32), [len(each) for each in examples], axis=0)
        (batch,) = shuffled(Labelled(np.concatenate(examples), labels), random)
        return batch


def signals(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three times (220500,): a sine of 100 ... 1000 Hz, a ramp to -5 ... 5, noise of mean -1 and deviation 1."""
    time = np.arange(round(SIGNAL_SECONDS * SIGNAL_RATE)) / SIGNAL_RATE
    sine = np.sin(2 * np.pi * random.uniform(100.0, 1000.0) * time)
    ramp = random.uniform(-1.0, 1.0) * time
    return sine, ramp, random.normal(-1.0, 1.0, len(time))


def front_end(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mono samples (n,) -> examples (m, 1, 96, 64) float32."""
    at_16_khz = resample([samples], rate, logmel.SAMPLE_RATE, "resampy_0_2")
    parts = list(logmel.examples(at_16_khz, logmel.EXAMPLE_FRAMES))
    return np.concatenate([np.zeros((0, logmel.EXAMPLE_FRAMES, logmel.BANDS), np.float32), *parts])[:, None]


class Folder:
    """folder/<class>/**/<media>: a fifth of each class's files, chosen by the seed, is kept for validation.

    Files without a window are left out, with a warning. Files are read when examples are first asked for, and all are
    held: 24 KiB a window. Raises UsageError if there are fewer than two classes; later, if one has fewer than two
    usable files.
    """

    def __init__(self, folder: Path, extractor: VGGishExtractor) -> None:
        self._folder, self._files, self._extractor = folder, files_of_classes(folder), extractor
        self.classes = tuple(self._files)

    @property
    def validation(self) -> Labelled:
        return self._split[1]

    def epoch(self, random: np.random.Generator) -> Iterator[Labelled]:
        return shuffled(self._split[0], random)

    @cached_property
    def _split(self) -> tuple[Labelled, Labelled]:
        """What to train on and what to validate with."""
        random = np.random.default_rng([self._extractor.seed, HELD_OUT])
        training, validation = [], []
        labels = np.eye(len(self.classes), dtype=np.float32)
        for label, (name, usable) in zip(labels, _read(self._files, self._extractor), strict=True):
            if len(usable) < 2:
                raise UsageError(
                    f"{self._folder / name}: {len(usable)} usable files; a class needs two, to learn and to validate"
                )
            of_class = [Labelled(examples, np.tile(label, (len(examples), 1))) for examples in usable]
            order = [of_class[index] for index in random.permutation(len(of_class))]
            held_out = max(1, round(len(order) / 5))
            validation += order[:held_out]
            training += order[held_out:]
        return joined(training), joined(validation)


def files_of_classes(folder: Path) -> dict[str, list[Path]]:
    """Classes, sorted, and the media files of each. Raises UsageError if there are fewer than two."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give synthetic, or a folder that has one folder a class")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        raise UsageError(f"{folder}: {len(classes)} folders inside; at least two are needed, one a class")
    return {
        path.name: sorted(file for file in path.rglob("*") if file.suffix.lower() in MEDIA_SUFFIXES) for path in classes
    }


def _read(files: dict[str, list[Path]], extractor: VGGishExtractor) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Name of each class and the examples of each of its usable files."""

    def read(path: Path) -> np.ndarray | str:
        """Examples, or what is wrong."""
        try:
            return examples_of(path, extractor)
        except MediaError as error:
            return f"{path}: left out: {error}"

    total = sum(map(len, files.values()))
    with ThreadPoolExecutor(cpu_cores()) as pool, tqdm(total=total, unit="file", disable=None) as bar:
        for name, paths in files.items():
            usable = []
            for result in pool.map(read, paths):
                bar.update()
                if isinstance(result, str):
                    with tqdm.external_write_mode():
                        log.warning("%s", result)
                else:
                    usable.append(result)
            yield name, usable


def examples_of(path: str | Path, extractor: VGGishExtractor) -> np.ndarray:
    """A media file -> examples (n, 1, 96, 64), n > 0. Raises MediaError, also if it is too short."""
    parts = [windows.data for windows in extractor.windows(Source(str(path), Path(path).stem))]
    if not parts:
        raise MediaError(f"shorter than one window of {logmel.EXAMPLE_SECONDS} s")
    return np.concatenate(parts)


def shuffled(labelled: Labelled, random: np.random.Generator) -> Iterator[Labelled]:
    """Batches, once through in random order; the last one may be smaller."""
    order = random.permutation(len(labelled.labels))
    for first in range(0, len(order), BATCH_SIZE):
        chosen = order[first : first + BATCH_SIZE]
        yield Labelled(labelled.inputs[chosen], labelled.labels[chosen])


def joined(parts: Iterable[Labelled]) -> Labelled:
    """One after the other."""
    inputs, labels = zip(*parts, strict=True)
    return Labelled(np.concatenate(inputs), np.concatenate(labels))
