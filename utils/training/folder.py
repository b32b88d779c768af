"""A classification task from a folder with one subfolder per class."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.expansion import media_files
from torch_zoo.utils.terminal.loops import progress
from torch_zoo.utils.training.labeled import Labeled, concatenated, shuffled, split
from torch_zoo.utils.types import MediaError, UsageError

log = logging.getLogger(__name__)

HELD_OUT = 1  # added to the seed of the generator for the validation set

Read = Callable[[Path], np.ndarray]  # a media file -> examples (n, ...) float32, n > 0; raises MediaError


class Folder:
    """folder/<class>/**/<media>: a fifth of each class's files, chosen by the seed, is held out for validation.

    Files are read on first use, and all examples are kept in memory. Files for which `read` raises MediaError are
    skipped with a warning. Raises UsageError if there are fewer than two classes or, on first use, if a class has fewer
    than two usable files.
    """

    def __init__(self, folder: Path, read: Read, seed: int, batch_size: int) -> None:
        self._folder, self._files, self._read = folder, files_of_classes(folder), read
        self._seed, self._batch_size = seed, batch_size
        self.classes = tuple(self._files)

    def __str__(self) -> str:
        number = sum(map(len, self._files.values()))
        return f"{number:,} files of {len(self.classes):,} classes; a fifth of each class is for validation"

    @property
    def validation(self) -> Labeled:
        return self._split[1]

    @property
    def validation_clips(self) -> list[str]:
        return self._split[2]

    def epoch(self, random: np.random.Generator) -> Iterator[Labeled]:
        return shuffled(self._split[0], random, self._batch_size)

    @cached_property
    def _split(self) -> tuple[Labeled, Labeled, list[str]]:
        """Training set, validation set, and the file of each example of that."""
        random = np.random.default_rng([self._seed, HELD_OUT])
        training: list[Labeled] = []
        validation: list[Labeled] = []
        clips: list[str] = []
        for label, (name, usable) in enumerate(_read_all(self._files, self._read).items()):
            if len(usable) < 2:
                raise UsageError(
                    f"{self._folder / name}: {len(usable)} usable files; a class needs two, to train and to validate"
                )
            learned, held_out = split(usable, random)
            training += (_labeled(examples, label) for _, examples in learned)
            validation += (_labeled(examples, label) for _, examples in held_out)
            clips += (str(path) for path, examples in held_out for _ in examples)
        return concatenated(training), concatenated(validation), clips


def _labeled(examples: np.ndarray, label: int) -> Labeled:
    return Labeled(examples, np.full(len(examples), label))


def files_of_classes(folder: Path) -> dict[str, list[Path]]:
    """Sorted class names -> media files of each. Raises UsageError if there are fewer than two classes."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give one with a subfolder per class")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        raise UsageError(f"{folder}: {len(classes)} subfolders; at least two are needed, one per class")
    return {path.name: [Path(file) for file in media_files(str(path))] for path in classes}


def _read_all(files: Mapping[str, Sequence[Path]], read: Read) -> dict[str, list[tuple[Path, np.ndarray]]]:
    """The usable files of each class, with their examples."""

    def examples(path: Path) -> np.ndarray | str:
        """The examples, or the reason why the file is skipped."""
        try:
            return read(path)
        except MediaError as error:
            return str(error)

    every = [(name, path) for name, paths in files.items() for path in paths]
    usable: dict[str, list[tuple[Path, np.ndarray]]] = {name: [] for name in files}
    with ThreadPoolExecutor(cpu_cores()) as pool:
        results = pool.map(examples, (path for _, path in every))
        for (name, path), result in zip(every, progress(results, "reading", len(every), "file"), strict=True):
            if isinstance(result, str):
                with tqdm.external_write_mode():
                    log.warning("%s: skipped: %s", path, result)
            else:
                usable[name].append((path, result))
    return usable
