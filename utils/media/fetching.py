"""Fetch media from URLs, in threads, before a decoder asks for them.

What is decoded as a whole is fetched as a whole, into memory if it is small and else into a temporary file without a
name. Segments of large objects, and objects too large for that, are read by ranges while they are decoded; where only
headers are wanted, all but the smallest are.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal, Union

from torch_zoo.utils import remote
from torch_zoo.utils.heartbeat import beat
from torch_zoo.utils.media.anonymous import AnonymousFile
from torch_zoo.utils.types import Source
from torch_zoo.utils.urls import without_secrets

if TYPE_CHECKING:
    from torch_zoo.utils.remote_file import RemoteObject

MEMORY_BYTES = 32 << 20  # of an object; larger ones go to the disk, or stay where they are if a segment is wanted
WHOLE_BYTES = 1 << 30  # of an object; larger ones are read by ranges
FIRST_PIECE_BYTES, LARGEST_PIECE_BYTES = 1 << 20, 16 << 20  # of a large object, asked for one after the other
PIECE_SECONDS = 1.0  # a piece that took less is followed by one twice as large
THREADS = 8  # fetches at a time
HEADER_BYTES = 1 << 20  # of an object; where only headers are wanted, larger ones stay where they are
LOOK_SECONDS = 0.2  # between two looks at how far a fetch is

Held = Union[AnonymousFile, "RemoteObject"]
Kind = Literal["whole", "part", "file"]  # what is wanted: all of it, a segment, or a file that other programs open


_headers_only = False


def expect(*, headers_only: bool) -> None:
    """Is no more than the headers of media wanted in this process?"""
    global _headers_only
    _headers_only = headers_only


@dataclass(eq=False)
class Fetch:
    """One object on its way."""

    url: str
    kind: Kind
    users: int = 0  # sources that will ask for it
    received: int = 0  # bytes so far
    size: int | None = None  # bytes, once known
    on_disk: bool = False
    wanted: bool = False  # by a decoder that waits for it, or has it
    held: Future[Held] = field(default_factory=Future)

    def result(self) -> Held:
        """Wait for it; more bytes are progress. Raises OSError."""
        self.wanted = True
        seen = -1
        while not wait_for([self.held], LOOK_SECONDS).done:
            if self.received != seen:
                seen = self.received
                beat("fetching")
        return self.held.result()


class Fetcher:
    """The fetches of a process; used by one thread."""

    def __init__(self) -> None:
        self._fetches: dict[tuple[str, Kind], Fetch] = {}
        self._threads = ThreadPoolExecutor(THREADS, "fetch")
        self._choosing = threading.Lock()

    def ahead(self, source: Source) -> None:
        """Begin to fetch the media of a source that will be opened."""
        self._begin(source.path, _kind(source)).users += 1

    @contextmanager
    def opened(self, source: Source, as_file: bool) -> Iterator[Held]:
        """The object of a source, as a file if another program is to open it. Raises OSError."""
        with self._used(source.path, _kind(source)) as held:
            if not as_file or isinstance(held, AnonymousFile):
                yield held
                return
        with self._used(source.path, "file") as held:
            yield held

    @contextmanager
    def _used(self, url: str, kind: Kind) -> Iterator[Held]:
        fetch = self._begin(url, kind)
        fetch.users = max(1, fetch.users)
        try:
            yield fetch.result()
        finally:
            fetch.users -= 1
            if not fetch.users:
                del self._fetches[url, kind]
                fetch.held.add_done_callback(_close)

    def _begin(self, url: str, kind: Kind) -> Fetch:
        if (url, kind) not in self._fetches:
            self._fetches[url, kind] = fetch = Fetch(url, kind)
            fetch.held = self._threads.submit(self._hold, fetch)
        return self._fetches[url, kind]

    def _hold(self, fetch: Fetch) -> Held:
        limit = HEADER_BYTES if _headers_only else MEMORY_BYTES
        if fetch.kind == "part" and (found := _by_ranges(fetch, limit)):
            return found
        try:
            return _downloaded(fetch, AnonymousFile(in_memory=True), MEMORY_BYTES)
        except _TooLargeError:
            if fetch.kind == "whole" and (found := _by_ranges(fetch, WHOLE_BYTES)):
                return found
        while not self._may_go_to_disk(fetch):
            time.sleep(LOOK_SECONDS)
        try:
            return _downloaded(fetch, AnonymousFile(in_memory=False), max(fetch.size or 0, WHOLE_BYTES))
        except _TooLargeError:
            message = f"its server states no size, and it is larger than {WHOLE_BYTES:,} bytes; is it a live stream?"
            raise OSError(errno.EFBIG, message, without_secrets(fetch.url)) from None

    def _may_go_to_disk(self, fetch: Fetch) -> bool:
        """One large object at a time, besides the one that is being decoded."""
        with self._choosing:
            others = [each for each in self._fetches.copy().values() if each.on_disk and not each.wanted]
            fetch.on_disk = fetch.wanted or not others
        return fetch.on_disk


class _TooLargeError(Exception):
    """It is to be fetched in another way."""


def _by_ranges(fetch: Fetch, limit: int) -> RemoteObject | None:
    """The object, if it is larger than the limit and its server sends parts of it. Raises OSError."""
    from torch_zoo.utils.remote_file import RemoteObject, object_size

    size = fetch.size or object_size(fetch.url)
    if size is None or size <= limit:
        return None
    found = RemoteObject(fetch.url, size, in_order=fetch.kind == "whole")
    if not found.has_ranges():
        return None
    found.read(0, 1)  # the first block will be needed
    return found


def _kind(source: Source) -> Kind:
    return "part" if _headers_only or source.start > 0 or source.end is not None else "whole"


def _close(held: Future[Held]) -> None:
    if not held.exception() and isinstance(file := held.result(), AnonymousFile):
        file.close()


def _downloaded(fetch: Fetch, file: AnonymousFile, limit: int) -> AnonymousFile:
    """The whole object, in `file`. Raises OSError, and _TooLargeError once its size is known to exceed the limit."""
    fetch.received = 0
    try:
        _download(fetch, file, limit)
    except BaseException:
        file.close()
        raise
    return file


def _download(fetch: Fetch, file: AnonymousFile, limit: int) -> None:
    from fsspec.callbacks import Callback

    class Progress(Callback):  # type: ignore[misc]
        def set_size(self, size: int | None) -> None:
            fetch.size = size
            if size and size > limit:
                raise _TooLargeError

        def relative_update(self, inc: int = 1) -> None:
            fetch.received += inc
            if fetch.received > limit:
                raise _TooLargeError

    try:
        remote.attempt(
            fetch.url,
            lambda system, name: system.get_file(name, file.path, callback=Progress()),
            may_repeat=lambda: not fetch.received,
        )
    except OSError as error:
        if isinstance(error.__cause__, _TooLargeError):
            raise _TooLargeError from None
        if error.errno not in remote.MAY_PASS or not fetch.received or fetch.size is None:
            raise
    _resume(fetch, file)


def _resume(fetch: Fetch, file: AnonymousFile) -> None:
    """Fetch what is missing, by ranges, in pieces that grow where they come quickly."""
    piece = FIRST_PIECE_BYTES
    while fetch.size is not None and (start := file.size) != fetch.size:
        end = min(start + piece, fetch.size)
        began = time.monotonic()
        content = _range(fetch.url, start, end)
        if len(content) == fetch.size:  # the server ignored the range
            content = content[start:]
        elif len(content) != end - start:
            message = f"{start + len(content)} bytes came, {fetch.size} are announced"
            raise OSError(errno.EIO, message, without_secrets(fetch.url))
        file.append(content)
        fetch.received += len(content)
        if time.monotonic() - began < PIECE_SECONDS:
            piece = min(2 * piece, LARGEST_PIECE_BYTES)


def _range(url: str, start: int, end: int) -> bytes:
    content: bytes = (
        remote.attempt(url, lambda system, name: system.cat_file(name, start=start, end=end)) if end > start else b""
    )
    return content


def fetcher() -> Fetcher:
    """That of this process."""
    return _fetcher_of(os.getpid())


@cache
def _fetcher_of(_process: int) -> Fetcher:
    return Fetcher()
