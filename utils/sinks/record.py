"""Where the lines of `origins` are kept, in a folder of features: appended to a local file, or put as objects.

The driver reads and merges them; each process that writes features keeps a journal of its own. Of a name, the last line
counts.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from torch_zoo.utils import storage
from torch_zoo.utils.files import remove_partial
from torch_zoo.utils.locks import lock
from torch_zoo.utils.sinks.journal import Journal, exited, running, writer
from torch_zoo.utils.sinks.member import member
from torch_zoo.utils.sinks.origins import REQUESTS, entries, line
from torch_zoo.utils.storage import Stamp

T = TypeVar("T")

FILE_NAME = "sources.jsonl"
JOURNALS = ".sources.*.jsonl"

FLUSH_SECONDS, FLUSH_LINES = 30.0, 1000  # after either, what is remembered becomes an object
LISTINGS = 10  # of objects that others keep merging


class Record(Protocol):
    """Everything raises OSError."""

    @property
    def listing(self) -> Mapping[str, Stamp] | None:
        """What the folder holds since it was merged, where looking at a file takes a request; None for a local one."""

    @property
    def deleted(self) -> bool:
        """Has the folder been deleted since `begin`?"""

    def begin(self, token: str) -> None:
        """Begin a journal of this process."""

    def append(self, lines: bytes) -> None:
        """Add lines to the journal."""

    def flush(self) -> None:
        """Store what has been appended, before a process ends or where it has nothing else to do."""

    def close(self) -> None:
        """End the journal."""

    def merge(self) -> None:
        """Join the record and the journals of processes that exited."""

    def read(self) -> bytes:
        """All lines, also those of journals that were not merged."""

    def locked(self) -> AbstractContextManager[object]:
        """Keeps other runs from changing what the runs in a folder share, where that is possible."""

    def occupied(self, overwriting: bool) -> str:
        """Who may be writing features with other settings there, in words; empty if nobody is."""


class FileRecord:
    """`sources.jsonl`, which the driver only ever appends to, and a journal per process (`journal`)."""

    listing = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._journal: Journal | None = None

    @property
    def deleted(self) -> bool:
        return self._journal is not None and self._journal.deleted

    def begin(self, token: str) -> None:
        self.close()
        self._journal = Journal(self._folder, JOURNALS, token)

    def append(self, lines: bytes) -> None:
        assert self._journal, "begin comes first"
        self._journal.append(lines)

    def flush(self) -> None:
        pass  # nothing is held back

    def close(self) -> None:
        if self._journal:
            self._journal.close()
            self._journal = None

    def merge(self) -> None:
        if not any(self._folder.glob(JOURNALS)):
            return
        with locked(self._folder) as file, exited(self._folder, JOURNALS) as journals:
            contents = [journal.read_bytes() for journal in journals]
            file.write(_joined(contents))
            file.flush()
            if killed := [path for path, content in zip(journals, contents, strict=True) if _cut(content)]:
                remove_partial(self._folder, [writer(path, JOURNALS) for path in killed])
            for journal in journals:
                journal.unlink()

    def read(self) -> bytes:
        record, journals = self._folder / FILE_NAME, []
        for journal in self._folder.glob(JOURNALS):
            with suppress(FileNotFoundError):  # merged by another driver
                journals.append((journal.stat().st_mtime_ns, journal.read_bytes()))
        return b"\n".join([record.read_bytes() if record.exists() else b"", *(lines for _, lines in sorted(journals))])

    def locked(self) -> AbstractContextManager[object]:
        return locked(self._folder)

    def occupied(self, overwriting: bool) -> str:
        return "another run is writing features" if running(self._folder, JOURNALS) else ""


class ObjectRecord:
    """Objects `.sources/<ns>.<token>.jsonl`, none of which ever changes; <ns> is the time of its last line.

    They are merged into a new one, and only then removed. So nothing is lost where several drivers merge at once, and
    what a worker that was killed had not put yet is only extracted again.
    """

    NAME = re.compile(r"\d{20}\.[^/]*\.jsonl")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._objects = storage.join(folder, ".sources")
        self._token = ""
        self._held: list[bytes] = []
        self._since = 0.0  # of the oldest line that is held, s
        self._merged: bytes | None = None

    @cached_property
    def listing(self) -> Mapping[str, Stamp] | None:
        return storage.listing(self._folder)

    @property
    def deleted(self) -> bool:
        return False  # there are no folders: objects are deleted one by one

    def begin(self, token: str) -> None:
        self._token = token

    def append(self, lines: bytes) -> None:
        if not self._held:
            self._since = time.monotonic()
        self._held.append(lines)
        if len(self._held) >= FLUSH_LINES or time.monotonic() - self._since > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._held:
            self._put(f"{time.time_ns():020d}", b"".join(self._held))
            self._held.clear()

    def close(self) -> None:
        self.flush()

    def merge(self) -> None:
        self.__dict__.pop("listing", None)
        found = self._read_all()
        self._merged = _in_order(found)
        if len(found) > 1:
            self._put(max(found).split(".")[0], _joined([self._merged]))
            _each(lambda name: storage.remove(storage.join(self._objects, name)), found)

    def read(self) -> bytes:
        if self._merged is None:
            self._merged = _in_order(self._read_all())
        return self._merged

    def locked(self) -> AbstractContextManager[object]:
        return nullcontext()

    def occupied(self, overwriting: bool) -> str:
        return "" if overwriting else "a run, which may still go on, began there"

    def _read_all(self) -> dict[str, bytes]:
        """The objects, by name; listed again where another driver merged some of them meanwhile."""
        for attempt in count(1):
            names = [name for name in storage.listing(self._objects) if self.NAME.fullmatch(name)]
            try:
                return dict(zip(names, _each(self._get, names), strict=True))
            except FileNotFoundError:
                if attempt == LISTINGS:
                    raise
        raise AssertionError  # the last attempt returns or raises

    def _get(self, name: str) -> bytes:
        with storage.open_read(storage.join(self._objects, name)) as file:
            return file.read()

    def _put(self, nanoseconds: str, content: bytes) -> None:
        name = f"{nanoseconds}.{self._token or 'driver'}.{secrets.token_hex(4)}.jsonl"
        with storage.atomic_write(storage.join(self._objects, name)) as file:
            file.write(content)


def record_of(folder: str) -> Record:
    return ObjectRecord(folder) if storage.is_url(folder) else FileRecord(Path(storage.local(folder)))


@contextmanager
def locked(folder: Path) -> Iterator[BinaryIO]:
    """The record of a local folder, to append to; for all who change what the runs in it share. Raises OSError."""
    with member(folder).lock(), (folder / FILE_NAME).open("ab+") as file:
        lock(file)
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a driver was killed here
                file.write(b"\n")
        yield file


def _in_order(found: Mapping[str, bytes]) -> bytes:
    """The lines of objects, by their names."""
    return b"".join(found[name] for name in sorted(found))


def _cut(content: bytes) -> bool:
    """Did the writing of a source's outputs begin and not end?"""
    return None in dict(entries(content)).values()


def _joined(contents: Iterable[bytes]) -> bytes:
    """The last line of each name."""
    latest = {name: origin for content in contents for name, origin in entries(content)}
    return b"".join(line(name, origin) for name, origin in latest.items())


def _each(action: Callable[[str], T], names: Iterable[str]) -> list[T]:
    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(action, names))
