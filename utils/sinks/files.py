"""Features as files, one per array: <folder>/<name>_<key><suffix>."""

from __future__ import annotations

import io
import os
import pickle
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.predictions import report
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.types import Commit, Features, Source

NPY_HEADER_BYTES = 128  # of most arrays; others have a longer one


@dataclass(frozen=True, kw_only=True)
class FileSink(FolderSink):
    """What all file formats share; a format adds `suffix`, `save` and `is_complete`."""

    suffix: ClassVar[str]

    @abstractmethod
    def save(self, array: np.ndarray, file: BinaryIO) -> None:
        """Write one array."""

    @abstractmethod
    def is_complete(self, file: BinaryIO, row: np.dtype) -> bool:
        """Is this a complete file that `save` wrote, of rows of this type? May raise on a damaged one."""

    def path(self, source: Source, key: str) -> Path:
        return Path(self.folder) / f"{source.name}_{key}{self.suffix}"

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        outputs = {self.path(source, key) for source in sources for key in arrays} if overwrite else set()
        return self.claim(settings, outputs, self._names(next(iter(arrays), "")))

    def has(self, source: Source, arrays: Mapping[str, np.dtype]) -> bool:
        there = all(self._is_there(self.path(source, key), row) for key, row in arrays.items())
        return there and self.provenance.matches(source)

    def write(self, features: Features) -> str:
        with self.provenance.writing(features.source):
            for key, array in features.arrays.items():
                path = self.path(features.source, key)
                with atomic_write(path, self.provenance.token) as partial, partial.open("wb") as file:
                    self.save(array, file)
        return report(features)

    def _is_there(self, path: Path, row: np.dtype) -> bool:
        try:
            with path.open("rb") as file:
                return self.is_complete(file, row)
        except FileNotFoundError:
            return False
        except Exception:  # whatever a damaged file makes its reader raise: it is extracted again
            return False

    def _names(self, key: str) -> Iterator[str]:
        """Of the sources that have outputs."""
        ending = f"_{key}{self.suffix}"
        return (path.name.removesuffix(ending) for path in Path(self.folder).glob("*") if path.name.endswith(ending))


@dataclass(frozen=True, kw_only=True)
class SaveNumpy(FileSink):
    """.npy files."""

    suffix: ClassVar[str] = ".npy"

    def save(self, array: np.ndarray, file: BinaryIO) -> None:
        np.save(file, array, allow_pickle=False)

    def is_complete(self, file: BinaryIO, row: np.dtype) -> bool:
        start = file.read(NPY_HEADER_BYTES)
        header_bytes = 10 + int.from_bytes(start[8:10], "little")
        header = (start + file.read(max(0, header_bytes - len(start))))[:header_bytes]
        shape, dtype = _npy_header(header)
        data_bytes = os.fstat(file.fileno()).st_size - header_bytes
        return has_rows(shape, dtype, row) and data_bytes == dtype.itemsize * int(np.prod(shape))


@dataclass(frozen=True, kw_only=True)
class SavePickle(FileSink):
    """Pickled NumPy arrays, .pkl files."""

    suffix: ClassVar[str] = ".pkl"

    def save(self, array: np.ndarray, file: BinaryIO) -> None:
        pickle.dump(array, file, protocol=pickle.HIGHEST_PROTOCOL)

    def is_complete(self, file: BinaryIO, row: np.dtype) -> bool:
        array = _ArrayUnpickler(file).load()
        return type(array) is np.ndarray and has_rows(array.shape, array.dtype, row)


def has_rows(shape: tuple[int, ...], dtype: np.dtype, row: np.dtype) -> bool:
    """Does such an array consist of rows of this type? Of one without a shape, any array of the same numbers does."""
    return dtype == row.base and (not row.shape or shape[1:] == row.shape)


@lru_cache(maxsize=256)
def _npy_header(header: bytes) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type; headers repeat from file to file, and parsing one takes longer than opening a file."""
    file = io.BytesIO(header)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not a .npy file of version 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return shape, dtype


class _ArrayUnpickler(pickle.Unpickler):
    """Loads NumPy arrays and plain values; a file that names anything else is refused before it can call it."""

    CALLABLES = frozenset(
        {("numpy", "ndarray"), ("numpy", "dtype")}
        | {(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")}
        | {(f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")}
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.CALLABLES:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of an array")
        return super().find_class(module, name)
