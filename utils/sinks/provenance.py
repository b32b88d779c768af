"""What the outputs in a folder were made from: `sources.jsonl`, one JSON object per line, the last of a name counts.

    {"name": "clip", "made_from": {"path": "a/clip.mp4", "start": 0.0, "end": null, "size": 9, "mtime_ns": 8,
                                   "digest": "7f"}}

`made_from` is null while the outputs are being written, and {} for outputs of versions that kept no such record: they
are taken for those of the source that is given first. A file is the same if its size and the digest of its ends are;
neither path nor modification time (which spare the reading of it) need be, so that a data set may move.

The file is only ever appended to, by the driver. Workers keep journals, which the driver merges.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple

from torch_zoo.utils.digests import digest, digest_of_ends
from torch_zoo.utils.sinks.journal import Journal, exited
from torch_zoo.utils.types import OutputConflictError, Source

FILE_NAME = "sources.jsonl"
JOURNALS = ".sources.*.jsonl"


class Origin(NamedTuple):
    """The media that the outputs of a source were made from; all None where that is unknown."""

    path: str | None = None  # for messages
    start: float | None = None  # s
    end: float | None = None  # s, None = to the end
    size: int | None = None  # bytes; None for a URL
    mtime_ns: int | None = None
    digest: str | None = None  # None where only the size has been seen

    def __str__(self) -> str:
        span = "" if not self.start and self.end is None else f", {self.start:g} s to {_seconds(self.end)}"
        return f"{self.path}{span}"


UNKNOWN = Origin()


class Provenance:
    """The record of one folder: the driver reads it and merges journals, each process that writes keeps a journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._learned: dict[str, Origin] = {}  # by the driver, not yet in a journal
        self._journal: Journal | None = None
        self.token = f"{os.getpid()}-{secrets.token_hex(4)}"

    @property
    def is_empty(self) -> bool:
        """Is nothing recorded, as in the folders of versions that kept no record?"""
        return not self._known

    def open(self, token: str) -> None:
        """Begin a journal. Raises OSError."""
        self.close()
        self.token = token
        self._journal = Journal(self._folder, JOURNALS, token)

    def adopt(self, names: Iterable[str]) -> None:
        """Take in outputs of unknown origin."""
        self._learn(dict.fromkeys(names, UNKNOWN))

    def matches(self, source: Source) -> bool:
        """Were the outputs called so made from this source? False if they were not completed.

        Raises OutputConflictError if they were made from something else.
        """
        recorded = self._known.get(source.name)
        if recorded is None:
            return False
        try:
            size, mtime_ns = _stamp(source.path)
        except OSError:  # nothing is there to compare with
            return True
        now = Origin(source.path, source.start, source.end, size, mtime_ns)
        if mtime_ns is not None and recorded[:5] == now[:5]:
            return True
        if recorded == UNKNOWN:
            self._learn({source.name: now})
            return True
        if recorded[1:4] == now[1:4]:
            now = now._replace(digest=_digest(source.path))
            if recorded.digest in (None, now.digest):
                self._learn({source.name: now})
                return True
        raise OutputConflictError(_conflict(self._folder, source.name, recorded, now))

    @contextmanager
    def writing(self, source: Source) -> Iterator[None]:
        """The block writes the outputs of the source; they count once it ends without an error. Raises OSError."""
        completed = _line(source.name, _origin(source))
        self._write(_line(source.name, None))
        yield
        self._write(completed)

    def save(self) -> None:
        """Write down what the driver learned. Raises OSError."""
        if self._learned:
            self._write(b"".join(_line(name, origin) for name, origin in self._learned.items()))
            self._learned.clear()

    @property
    def deleted(self) -> bool:
        """Has the folder been deleted since the journal of this process was begun?"""
        return self._journal is not None and self._journal.deleted

    def close(self) -> None:
        """End the journal of this process."""
        if self._journal:
            self._journal.close()
            self._journal = None

    def merge(self) -> None:
        """Append what the journals of processes that exited hold. Raises OSError."""
        self.__dict__.pop("_known", None)  # is read again when needed
        if not any(self._folder.glob(JOURNALS)):
            return
        with locked(self._folder) as file, exited(self._folder, JOURNALS) as journals:
            latest = {name: origin for journal in journals for name, origin in _entries(journal)}
            file.write(b"".join(_line(name, origin) for name, origin in latest.items()))
            file.flush()
            for journal in journals:
                journal.unlink()

    @cached_property
    def _known(self) -> dict[str, Origin | None]:
        """What the record says of each name. Raises OSError."""
        return dict(_entries(self._folder / FILE_NAME))

    def _learn(self, origins: dict[str, Origin]) -> None:
        self._known.update(origins)
        self._learned |= origins

    def _write(self, lines: bytes) -> None:
        if not self._journal:
            self.open(self.token)
        assert self._journal
        self._journal.append(lines)


@contextmanager
def locked(folder: Path) -> Iterator[BinaryIO]:
    """The record of the folder, to append to; for all who change what the runs in a folder share. Raises OSError."""
    with (folder / FILE_NAME).open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a driver was killed here
                file.write(b"\n")
        yield file


def _entries(path: Path) -> Iterator[tuple[str, Origin | None]]:
    """Name and origin per line; lines that are incomplete or damaged are skipped."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in content.split(b"\n"):
        try:
            entry = json.loads(line)
            made_from = entry["made_from"]
            yield entry["name"], None if made_from is None else Origin(**made_from)
        except (ValueError, KeyError, TypeError):
            continue


def _line(name: str, origin: Origin | None) -> bytes:
    """ASCII, so that any name, also one that is not UTF-8, stays on its line and comes back."""
    known = None if origin is None else {} if origin == UNKNOWN else origin._asdict()
    if known and _is_url(known["path"]):
        known["path"] = re.sub(r"//[^/@]*@", "//", known["path"].split("?")[0])  # no passwords in a record
    return json.dumps({"name": name, "made_from": known}).encode() + b"\n"


def _origin(source: Source) -> Origin:
    try:
        size, mtime_ns = _stamp(source.path)
        return Origin(source.path, source.start, source.end, size, mtime_ns, _digest(source.path))
    except OSError:  # it was deleted after it was decoded
        return UNKNOWN


def _stamp(path: str) -> tuple[int | None, int | None]:
    """Size, and modification time in ns; None for a URL."""
    if _is_url(path):
        return None, None
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _digest(path: str) -> str:
    """Of a URL: of what names the media, without what is signed again each time."""
    return digest(path.split("?")[0].encode()) if _is_url(path) else digest_of_ends(Path(path))


def _is_url(path: str) -> bool:
    return "://" in path


def _seconds(end: float | None) -> str:
    return "its end" if end is None else f"{end:g} s"


def _conflict(folder: Path, name: str, recorded: Origin, now: Origin) -> str:
    if recorded[:3] == now[:3]:
        return f"it has changed since {folder} got {name} from it; overwrite=true extracts it again"
    return (
        f"{folder} holds {name} made from {recorded}; choose another output_path, give it a name of its own "
        "(column name of a list), or overwrite=true"
    )
