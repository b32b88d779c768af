"""Append-only files, one per process, of what it has done so far; the driver merges those of processes that exited.

A journal is locked (flock) while its process lives, so that others can tell. Where locks mean nothing to other machines
its token still says whose it is: it begins with the ID of the run (`member`). A process may be killed at any time, so
whoever reads a journal must accept that its last entry is incomplete.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from torch_zoo.utils.locks import lock
from torch_zoo.utils.sinks.member import member


class Journal:
    """A new journal in `folder`, called by `pattern` with the token of its writer for `*`. Raises OSError."""

    def __init__(self, folder: Path, pattern: str, token: str) -> None:
        self._folder = folder
        prefix, suffix = pattern.split("*")
        while True:
            self._file, _ = tempfile.mkstemp(suffix, f"{prefix}{token}.", folder)
            lock(self._file)
            if not self.deleted:  # nobody took it for the journal of a dead process before it was locked
                return
            os.close(self._file)

    @property
    def deleted(self) -> bool:
        """Has its file been deleted, with the folder most likely?"""
        return not os.fstat(self._file).st_nlink

    def append(self, entry: bytes | memoryview) -> None:
        """Add an entry, or leave the file as it was. Raises OSError."""
        if self.deleted:
            raise FileNotFoundError(errno.ENOENT, "deleted during the run", str(self._folder))
        left = memoryview(entry)
        start = os.fstat(self._file).st_size
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, start)
            os.lseek(self._file, start, os.SEEK_SET)
            raise

    def close(self) -> None:
        os.close(self._file)


def writer(journal: Path, pattern: str) -> str:
    """The token of the process whose journal this is; a token may have dots."""
    return journal.name.removeprefix(pattern.partition("*")[0]).rsplit(".", 2)[0]


@contextmanager
def exited(folder: Path, pattern: str) -> Iterator[list[Path]]:
    """The journals of processes that exited, oldest first, locked; those of running ones are left out."""
    locked: dict[Path, int] = {}
    try:
        for path in sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns):
            if member(folder).is_other(writer(path, pattern).partition("-")[0]):
                continue
            file = os.open(path, os.O_RDWR)  # NFS locks only what may be written
            if lock(file, wait=False) is False:
                os.close(file)
            else:
                locked[path] = file
        yield list(locked)
    finally:
        for file in locked.values():
            os.close(file)


def running(folder: Path, pattern: str) -> bool:
    """Does another run go on there, or a process that keeps a journal?"""
    if member(folder).others():
        return True
    for path in folder.glob(pattern):
        with suppress(OSError), path.open("rb+") as file:
            if lock(file, wait=False) is False:
                return True
    return False
