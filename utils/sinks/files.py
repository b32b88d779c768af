"""Features as files, one an array: <folder>/<name>_<key><suffix>."""

from __future__ import annotations

import pickle
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np

from torch_zoo.utils.files import atomic_write, remove_partial
from torch_zoo.utils.sinks.settings import claim_folder
from torch_zoo.utils.types import Commit, Features, Sink, Source


@dataclass(frozen=True, kw_only=True)
class FileSink(Sink):
    """What all file formats share; a format adds `suffix`, `save` and `is_whole`."""

    folder: str
    suffix: ClassVar[str]

    @abstractmethod
    def save(self, array: np.ndarray, file: BinaryIO) -> None:
        """Write one array."""

    @abstractmethod
    def is_whole(self, file: BinaryIO) -> bool:
        """Is this a complete file that `save` wrote? May raise on a damaged one."""

    @property
    def destination(self) -> str:
        return self.folder

    def path(self, source: Source, key: str) -> Path:
        return Path(self.folder) / f"{source.name}_{key}{self.suffix}"

    def has(self, source: Source, keys: Collection[str]) -> bool:
        return all(self._is_there(self.path(source, key)) for key in keys)

    def claim(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        outputs = {self.path(source, key) for source in sources for key in arrays}
        return claim_folder(Path(self.folder), settings, outputs if overwrite else set())

    def write(self, features: Features) -> str:
        for key, array in features.arrays.items():
            with atomic_write(self.path(features.source, key)) as partial, partial.open("wb") as file:
                self.save(array, file)
        return features.report

    def clean(self, process_id: int) -> None:
        remove_partial(Path(self.folder), process_id)

    def _is_there(self, path: Path) -> bool:
        try:
            with path.open("rb") as file:
                return self.is_whole(file)
        except FileNotFoundError:
            return False
        except Exception:  # whatever a damaged file makes its reader raise: it is done again
            return False


@dataclass(frozen=True, kw_only=True)
class SaveNumpy(FileSink):
    """.npy files."""

    suffix: ClassVar[str] = ".npy"

    def save(self, array: np.ndarray, file: BinaryIO) -> None:
        np.save(file, array, allow_pickle=False)

    def is_whole(self, file: BinaryIO) -> bool:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        body = file.tell()
        return file.seek(0, 2) - body == dtype.itemsize * int(np.prod(shape))


@dataclass(frozen=True, kw_only=True)
class SavePickle(FileSink):
    """Pickled NumPy arrays, .pkl files."""

    suffix: ClassVar[str] = ".pkl"

    def save(self, array: np.ndarray, file: BinaryIO) -> None:
        pickle.dump(array, file, protocol=pickle.HIGHEST_PROTOCOL)

    def is_whole(self, file: BinaryIO) -> bool:
        return isinstance(pickle.load(file), np.ndarray)
