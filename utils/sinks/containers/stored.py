"""The files of one format in a folder, each with the sources in it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from torch_zoo.utils import storage
from torch_zoo.utils.sinks import settings
from torch_zoo.utils.sinks.containers.container import Container, Kept
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

READERS = 16  # files at a time; for storage that takes long to answer


class Stored:
    """`<folder>/<stem><suffix>` and the shards `<stem>-*<suffix>`; what is read of them is kept until `forget`."""

    def __init__(self, folder: str, stem: str, container: Container) -> None:
        self.folder = folder
        self.stem = stem
        self.container = container
        self._read: dict[str, tuple[storage.Stamp, dict[str, bytes]]] = {}

    @property
    def one(self) -> str:
        """The file of all sources, where there are no shards."""
        return self.stem + self.container.suffix

    def shard(self, label: str) -> str:
        return f"{self.stem}-{label}{self.container.suffix}"

    def free(self) -> Iterator[str]:
        """The shards that do not exist, by number."""
        return (name for number in count() if (name := self.shard(f"{number:06}")) not in self.sources)

    def path(self, file: str) -> str:
        return storage.join(self.folder, file)

    @cached_property
    def sources(self) -> dict[str, dict[str, bytes]]:
        """Of each file, by name: its sources, each with its line of the record of origins or nothing.

        Files that have not changed are not read again. Raises UsageError.
        """
        named = re.compile(f"{re.escape(self.stem)}(-[^/]+)?{re.escape(self.container.suffix)}")
        try:
            listing = sorted(storage.listing(self.folder).items())
        except OSError as error:
            raise UsageError(f"output_path: cannot list {self.folder} ({storage.reason(error)})") from error
        stamps = {name: stamp for name, stamp in listing if named.fullmatch(name)}
        new = [name for name, stamp in stamps.items() if name not in self._read or self._read[name][0] != stamp]
        with ThreadPoolExecutor(READERS) as readers:
            for name, sources in zip(new, readers.map(self.container.sources, map(self.path, new)), strict=True):
                self._read[name] = stamps[name], sources
        return {name: self._read[name][1] for name in stamps}

    @cached_property
    def lines(self) -> dict[str, bytes]:
        """The same of all files."""
        return {name: line for sources in self.sources.values() for name, line in sources.items()}

    def write(self, file: str, new: Iterable[pa.RecordBatch], without: Collection[str] | None = None) -> None:
        """A file, which appears as a whole; one that is there keeps the sources that are not named in `without`.

        Raises OSError.
        """
        kept = None if without is None else Kept(self.path(file), without)
        with storage.atomic_write(self.path(file), self.stem) as writing:
            self.container.write(writing, new, self._about(), kept)

    def drop(self, names: Collection[str], spared: str = "") -> None:
        """Take sources out of all files but the one spared. Raises OSError."""
        for file, sources in self.sources.items():
            if file != spared:
                self._drop(file, sources, names)
        self.forget()

    def drop_repeated(self) -> None:
        """Keep each source in one file: a worker may have ended between storing one and saying so. Raises OSError."""
        kept: set[str] = set()
        for file, sources in self.sources.items():
            self._drop(file, sources, kept)
            kept |= sources.keys()
        self.forget()

    def forget(self) -> None:
        """The files may have changed."""
        for kept in ("sources", "lines"):
            self.__dict__.pop(kept, None)

    def _drop(self, file: str, sources: Collection[str], names: Collection[str]) -> None:
        gone = {name for name in sources if name in names}
        if gone and len(gone) == len(sources):
            storage.remove(self.path(file))
        elif gone:
            self.write(file, (), gone)

    def _about(self) -> Mapping[str, str]:
        """What a file says of itself."""
        import torch_zoo

        about = {"torch_zoo": torch_zoo.__version__}
        with (
            suppress(FileNotFoundError),  # a user deleted it
            storage.open_text(self.path(settings.FILE_NAME)) as file,
        ):
            about["extraction"] = file.read()
        return about
