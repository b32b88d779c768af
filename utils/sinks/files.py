"""Features as files: one per array, or one per source."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import IO, Any, BinaryIO, ClassVar, TypeVar

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.predictions import report
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.sinks.keys import Keys, check_keys, stored_names
from torch_zoo.utils.sinks.name_patterns import NamePattern
from torch_zoo.utils.types import AddedSetting, Commit, Features, Source, UsageError

T = TypeVar("T")

NPY_HEADER_BYTES = 128  # of most arrays; others have a longer one


@dataclass(frozen=True, kw_only=True)
class FileSink(FolderSink):
    """What all file formats share; a format adds `suffix`, `least_bytes`, `save` and `is_complete`.

    `keys` are those of the arrays to store, null = all; a mapping also gives the name of each within its file.
    """

    suffix: ClassVar[str]
    least_bytes: ClassVar[int]  # of a complete file; all that is looked at where looking into it takes a request
    named: ClassVar[bool] = False  # does a file hold arrays by name, so that it can hold several?

    name_pattern: str = "{name}_{key}"
    keys: Keys = None

    def __post_init__(self) -> None:
        self.pattern  # noqa: B018 - raises UsageError if it is none
        self._check_keys()

    def _check_keys(self) -> None:
        check_keys(self.keys)
        if isinstance(self.keys, dict) and not self.named:
            raise UsageError(f"keys={self.keys}: a {self.suffix} file holds one array, without a name; give a list")
        if isinstance(self.keys, dict) and not self._separate and len(set(self.keys.values())) < len(self.keys):
            raise UsageError(f"keys={self.keys}: two arrays of one file would have one name")

    @abstractmethod
    def save(self, arrays: Mapping[str, np.ndarray], file: BinaryIO) -> None:
        """Write the arrays of one file, by their names in it: a single one, unless the format is `named`."""

    @abstractmethod
    def is_complete(self, file: BinaryIO, rows: Mapping[str, np.dtype]) -> bool:
        """Is this a complete file that `save` wrote, of such arrays? May raise on a damaged one."""

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        stored = self.stored(arrays)
        self.pattern.check(stored if self._separate else (), (source.name for source in sources))
        files = {file for source in sources for file in self._files(source, arrays)} if overwrite else set()
        return self.claim({**settings, **self._settings}, sources, files, self._names(next(iter(stored), "")))

    def has(self, source: Source, arrays: Mapping[str, np.dtype]) -> bool:
        there = all(self._is_there(file, rows) for file, rows in self._files(source, arrays).items())
        return there and self.provenance.matches(source)

    def write(self, features: Features) -> str:
        with self.provenance.writing(features.source):
            for name, arrays in self._files(features.source, features.arrays).items():
                with storage.atomic_write(storage.join(self.folder, name), self.provenance.token) as file:
                    self.save(arrays, file)
        return report(features)

    @cached_property
    def pattern(self) -> NamePattern:
        return NamePattern(self.name_pattern, self.suffix)

    @property
    def _separate(self) -> bool:
        """Does each array have a file of its own?"""
        return not self.named or "key" in self.pattern.fields

    @property
    def _settings(self) -> dict[str, object]:
        """What else the outputs of runs in one folder must agree in."""
        keys = sorted(self.keys) if isinstance(self.keys, list) else self.keys
        chosen = {"name_pattern": self.name_pattern, "keys": keys}
        defaults = {name: getattr(type(self), name) for name in chosen}
        return {name: AddedSetting(chosen[name], before) for name, before in defaults.items() if chosen[name] != before}

    def stored(self, keys: Iterable[str]) -> Mapping[str, str]:
        """Of the arrays that are stored, their names in the file. Raises UsageError if one is not there."""
        return stored_names(self.keys, keys)

    def _files(self, source: Source, arrays: Mapping[str, T]) -> dict[str, dict[str, T]]:
        """Name of each file, relative to the folder -> what is in it, by name."""
        files: dict[str, dict[str, T]] = {}
        for key, name in self.stored(arrays).items():
            files.setdefault(self.pattern.file(source.name, key), {})[name] = arrays[key]
        return files

    def _is_there(self, name: str, rows: Mapping[str, np.dtype]) -> bool:
        if (listing := self.record.listing) is not None:
            size = listing[name].size if name in listing else 0
            return size is None or size >= self.least_bytes
        try:
            with storage.open_read(storage.join(self.folder, name)) as file:
                return self.is_complete(file, rows)
        except FileNotFoundError:
            return False
        except Exception:  # whatever a damaged file makes its reader raise: it is extracted again
            return False

    def _names(self, key: str) -> Iterator[str]:
        """Of the sources that have outputs; the folder is listed when the first is asked for."""
        for file in storage.listing(self.folder):
            if name := self.pattern.name_of(file, key):
                yield name


@dataclass(frozen=True, kw_only=True)
class SaveNumpy(FileSink):
    """.npy files."""

    suffix: ClassVar[str] = ".npy"
    least_bytes: ClassVar[int] = NPY_HEADER_BYTES

    def save(self, arrays: Mapping[str, np.ndarray], file: BinaryIO) -> None:
        [array] = arrays.values()
        np.save(file, array, allow_pickle=False)

    def is_complete(self, file: BinaryIO, rows: Mapping[str, np.dtype]) -> bool:
        [row] = rows.values()
        return _is_npy(file, os.fstat(file.fileno()).st_size, row)


@dataclass(frozen=True, kw_only=True)
class SaveNpz(FileSink):
    """.npz files: all arrays of a source in one, by name; not compressed, since floats hardly are."""

    suffix: ClassVar[str] = ".npz"
    least_bytes: ClassVar[int] = NPY_HEADER_BYTES
    named: ClassVar[bool] = True

    name_pattern: str = "{name}"

    def save(self, arrays: Mapping[str, np.ndarray], file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    def is_complete(self, file: BinaryIO, rows: Mapping[str, np.dtype]) -> bool:
        """Its directory, which is written last, and the header of each array."""
        with zipfile.ZipFile(file) as archive:
            members = {member.filename: member for member in archive.infolist()}
            if set(members) != {f"{name}.npy" for name in rows}:
                return False
            for name, row in rows.items():
                member = members[f"{name}.npy"]
                with archive.open(member) as content:
                    if not _is_npy(content, member.file_size, row):
                        return False
            return True


@dataclass(frozen=True, kw_only=True)
class SavePickle(FileSink):
    """Pickled NumPy arrays, .pkl files."""

    suffix: ClassVar[str] = ".pkl"
    least_bytes: ClassVar[int] = 100  # protocol 5: the array's type and shape

    def save(self, arrays: Mapping[str, np.ndarray], file: BinaryIO) -> None:
        [array] = arrays.values()
        pickle.dump(array, file, protocol=pickle.HIGHEST_PROTOCOL)

    def is_complete(self, file: BinaryIO, rows: Mapping[str, np.dtype]) -> bool:
        [row] = rows.values()
        array = _ArrayUnpickler(file).load()
        return type(array) is np.ndarray and has_rows(array.shape, array.dtype, row)


def _is_npy(file: IO[bytes], size: int, row: np.dtype) -> bool:
    """Is the file of this size a .npy file of such rows, by its header?"""
    start = file.read(NPY_HEADER_BYTES)
    header_bytes = 10 + int.from_bytes(start[8:10], "little")
    header = (start + file.read(max(0, header_bytes - len(start))))[:header_bytes]
    shape, dtype = _npy_header(header)
    return has_rows(shape, dtype, row) and size - header_bytes == dtype.itemsize * int(np.prod(shape))


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
