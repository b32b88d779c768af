"""A bounded cache of arrays on disk: network inputs of clips, so that later epochs need not decode.

One file per clip, named for all that its values depend on. Which clips are cached is decided once, before anything is
read: as many of the run's clips as fit, in the order of its list. In an epoch every clip is read once, so if not all
fit, any that is evicted for another is one that is missed later; the rest is decoded in every epoch instead. Files of
other runs are evicted as far as their room is needed, the oldest first. So the bound holds without bookkeeping, and
any number of processes may read and write: files are written atomically, and two writers of one write the same.
"""

from __future__ import annotations

import io
import logging
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.digests import digest
from torch_zoo.utils.types import Source

log = logging.getLogger(__name__)

SUFFIX = ".npz"  # zip files have checksums
PARTIAL = ".part"  # left by a process that was killed
OVERHEAD_BYTES = 512  # of a file, besides the numbers


def key_of(source: Source, settings: Mapping[str, object]) -> str:
    """Equal for equal inputs: of the file's path, size and time, the segment, and the settings of the front end.

    Raises OSError if there is no such file.
    """
    where = source.path if storage.is_url(source.path) else os.path.abspath(storage.local(source.path))
    return digest(repr((where, tuple(storage.stamp(source.path)), source.start, source.end, dict(settings))).encode())


def keys_of(sources: Iterable[Source], settings: Mapping[str, object]) -> list[str]:
    """Those of the files that are there."""
    keys = []
    for source in sources:
        with suppress(OSError):
            keys.append(key_of(source, settings))
    return keys


class Cache:
    """The files of the keys that are `kept`, in a local folder; other keys are never found nor stored."""

    def __init__(self, folder: str, kept: frozenset[str] = frozenset()) -> None:
        self._folder, self.kept, self._warned = folder, kept, False

    def load(self, key: str) -> np.ndarray | None:
        """The array; None if it is not there, or damaged."""
        if key not in self.kept:
            return None
        try:
            with np.load(self._path(key), allow_pickle=False) as arrays:
                array: np.ndarray = arrays["inputs"]
                return array
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def store(self, key: str, array: np.ndarray) -> None:
        """Does nothing where the file can't be written: the array will be made again."""
        if key not in self.kept:
            return
        content = io.BytesIO()
        np.savez(content, inputs=array)
        try:
            with storage.atomic_write(self._path(key)) as file:
                file.write(content.getbuffer())
        except OSError as error:
            if not self._warned:
                log.warning("%s: %s; what is not cached is decoded in every epoch", self._folder, error.strerror)
            self._warned = True

    def _path(self, key: str) -> str:
        return os.path.join(self._folder, key[:2], key + SUFFIX)


def make_room(folder: str, keys: Iterable[str], array_bytes: int, limit: int) -> Cache:
    """The cache of as many keys, the first ones, as fit into `limit` bytes; evicts other files to make room for them.

    Raises OSError.
    """
    each = array_bytes + OVERHEAD_BYTES
    kept = frozenset(list(dict.fromkeys(keys))[: limit // each])
    files = {name: stamp for name, stamp in storage.listing(folder).items() if name.endswith((SUFFIX, PARTIAL))}
    others = sorted((name for name in files if _key(name) not in kept), key=lambda name: files[name].modified or 0)
    excess = sum(files[name].size or 0 for name in others) + each * len(kept) - limit
    for name in _first(others, files, excess):
        storage.remove(os.path.join(folder, name))
    return Cache(folder, kept)


def _first(names: Sequence[str], files: Mapping[str, storage.Stamp], excess: int) -> Iterable[str]:
    for name in names:
        if excess <= 0:
            return
        excess -= files[name].size or 0
        yield name


def _key(name: str) -> str:
    return os.path.basename(name).removesuffix(SUFFIX)
