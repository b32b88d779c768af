"""What the outputs of a source were made from, and lines of JSON that say so, one per source.

    {"name": "clip", "made_from": {"path": "a/clip.mp4", "start": 0.0, "end": null, "size": 9, "mtime_ns": 8,
                                   "digest": "7f"}}

`made_from` is null while the outputs are being written, and {} for outputs of versions that kept no such record: they
are taken for those of the source that is given first. Of an object behind a URL, its entity tag (`etag`) is recorded
instead of a modification time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from torch_zoo.utils import storage
from torch_zoo.utils.digests import digest, digest_of_ends
from torch_zoo.utils.remote import MAY_PASS
from torch_zoo.utils.types import MediaError, Source

REQUESTS = 16  # at a time
MOST_EXPECTED = 1024  # sources; several times what a worker holds


class Origin(NamedTuple):
    """The media that the outputs of a source were made from; all None where that is unknown."""

    path: str | None = None  # for messages
    start: float | None = None  # s
    end: float | None = None  # s, None = to the end
    size: int | None = None  # bytes; None for a URL whose server did not say it
    mtime_ns: int | None = None  # of a local file
    digest: str | None = None  # of the ends of a local file, or of a URL's text; None where only the size has been seen
    etag: str | None = None  # of an object behind a URL

    def __str__(self) -> str:
        span = "" if not self.start and self.end is None else f", {self.start:g} s to {_seconds(self.end)}"
        return f"{self.path}{span}"

    @property
    def is_remote(self) -> bool:
        return self.path is not None and storage.is_url(self.path)

    @property
    def span(self) -> tuple[float | None, float | None]:
        return self.start, self.end

    def is_unread(self, now: Origin) -> bool:
        """Does the modification time alone show that `now` is the same file? `now` comes from `seen`."""
        return now.mtime_ns is not None and self[:5] == now[:5]

    def is_same(self, now: Origin) -> bool:
        """Is the content of `now`, which comes from `read`, that of this, as far as is known of both?

        A file is the same if its size and the digest of its ends are, an object if its size and entity tag are: neither
        path nor modification time need be, so that a data set may move.
        """
        if self.span != now.span:
            return False
        if self.etag and now.etag:
            return (self.size, self.etag) == (now.size, now.etag)
        if self.is_remote or now.is_remote:
            return self.digest == now.digest
        return self.size == now.size and self.digest in (None, now.digest)


UNKNOWN = Origin()
KINDS = tuple(kinds | None for kinds in (str, int | float, int | float, int, int, str, str))  # of its fields


def seen(source: Source) -> Origin:
    """The source as it is now, without reading the file or asking a server. Raises OSError if a file is missing."""
    if storage.is_url(source.path):
        unsigned = source.path.split("?")[0]  # without what is signed again each time
        return Origin(source.path, source.start, source.end, digest=digest(unsigned.encode()))
    size, modified = storage.stamp(source.path)
    assert isinstance(modified, int)
    return Origin(source.path, source.start, source.end, size, modified)


def read(source: Source) -> Origin:
    """The same with what tells its content. Raises OSError if the file is missing, or a server does not tell."""
    now = seen(source)
    if not now.is_remote:
        return now._replace(digest=digest_of_ends(Path(storage.local(source.path))))
    size, etag = storage.stamp(source.path)
    return now._replace(size=size, etag=None if etag is None else str(etag))


def known(source: Source) -> Origin:
    """As much of it as can be found out now."""
    with suppress(OSError):
        return read(source)
    with suppress(OSError):
        return seen(source)
    return UNKNOWN


def unchanged(source: Source, before: Origin) -> Origin:
    """The origin of a local file that was `before` when its decoding began. Raises MediaError if it is another now."""
    try:
        now = seen(source)
        if before.is_unread(now):
            return before
        now = read(source)
    except OSError:
        return before  # it was deleted after it was decoded
    if not before.is_same(now):
        raise MediaError("it changed while its features were extracted; the same command extracts it again")
    return now


class Lookup:
    """The origins of sources that a worker is given: servers are asked while their media are decoded."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._expected: dict[str, Future[Origin] | Origin] = {}  # by the names of the sources

    def expect(self, source: Source) -> None:
        """Look at a file before it is decoded, or begin to ask its server."""
        self._expected.pop(source.name, None)
        if storage.is_url(source.path):
            self._threads = self._threads or ThreadPoolExecutor(REQUESTS, "origin")
            self._expected[source.name] = self._threads.submit(known, source)
        else:
            self._expected[source.name] = known(source)
        if len(self._expected) > MOST_EXPECTED:  # the oldest has been written, or has failed
            del self._expected[next(iter(self._expected))]

    def known(self, source: Source) -> Origin:
        """As `known`; waits for the server. Raises MediaError if a file changed since it was expected."""
        expected = self._expected.get(source.name)
        if isinstance(expected, Future):
            return expected.result()
        return unchanged(source, expected) if expected else known(source)


def read_all(sources: Sequence[Source]) -> dict[str, Origin]:
    """Objects behind URLs, by the names of the sources, many at a time; a server that can't be reached is left out."""
    silent: set[str] = set()

    def ask(source: Source) -> tuple[str, Origin | None]:
        server = "/".join(source.path.split("/")[:3])
        if server not in silent:
            try:
                return source.name, read(source)
            except OSError as error:
                if error.errno in MAY_PASS:  # and did not, in several attempts
                    silent.add(server)
        return source.name, None

    with ThreadPoolExecutor(REQUESTS) as pool:
        return {name: origin for name, origin in pool.map(ask, sources) if origin}


def line(name: str, origin: Origin | None) -> bytes:
    """ASCII, so that any name, also one that is not UTF-8, stays on its line and comes back."""
    values = None if origin is None else {} if origin == UNKNOWN else origin._asdict()
    if origin and values:
        if origin.etag is None:
            del values["etag"]
        if origin.is_remote:
            values["path"] = re.sub(r"//[^/@]*@", "//", values["path"].split("?")[0])  # no passwords in a record
    return json.dumps({"name": name, "made_from": values}).encode() + b"\n"


def entries(content: bytes) -> Iterator[tuple[str, Origin | None]]:
    """Name and origin per line; lines that are incomplete or damaged are skipped."""
    for each in content.split(b"\n"):
        try:
            entry = json.loads(each)
            name, made_from = entry["name"], entry["made_from"]
            origin = None if made_from is None else Origin(**made_from)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if isinstance(name, str) and all(map(isinstance, origin or (), KINDS)):
            yield name, origin


def _seconds(end: float | None) -> str:
    return "its end" if end is None else f"{end:g} s"
