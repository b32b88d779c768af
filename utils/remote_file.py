"""Read an object behind a URL by ranges, in blocks that are kept for a while."""

from __future__ import annotations

import errno
import io
import os
from typing import Any, BinaryIO, cast

from fsspec.caching import BackgroundBlockCache, BlockCache

from torch_zoo.utils import remote
from torch_zoo.utils.heartbeat import beat
from torch_zoo.utils.urls import is_web, without_secrets

BLOCK_BYTES, BLOCKS = 1 << 20, 32  # where parts are read; this many are kept (docs/storage.md)
STRIDE_BYTES, STRIDES = 8 << 20, 4  # where all is read in order, one ahead


def open_remote(url: str) -> BinaryIO:
    """A seekable file. Raises OSError, here or while it is read."""
    size = object_size(url)
    if size is None:
        return io.BytesIO(_whole(url))
    return cast(BinaryIO, io.BufferedReader(RangeReader(RemoteObject(url, size))))


def object_size(url: str) -> int | None:
    """Bytes; None where the server does not say. Raises OSError."""
    size: int | None = remote.attempt(url, lambda system, name: system.info(name)).get("size")
    return size


class RemoteObject:
    """The bytes of an object; a server that ignores ranges is asked for all of them, once.

    `in_order` if all of it will be read.
    """

    def __init__(self, url: str, size: int, *, in_order: bool = False) -> None:
        self.url = url
        self.size = size
        self._whole: bytes | None = None
        if in_order:
            self._blocks = BackgroundBlockCache(STRIDE_BYTES, self._fetch, self.size, STRIDES)
        else:
            self._blocks = BlockCache(BLOCK_BYTES, self._fetch, self.size, BLOCKS)

    def has_ranges(self) -> bool:
        """Does its server send parts of it? Asks one of HTTP for a byte. Raises OSError."""

        def last_byte(system: Any, name: str) -> bool:
            file = system.open(name, size=self.size, cache_type="none")
            try:
                return len(file._fetch_range(self.size - 1, self.size)) == 1
            except ValueError:  # it would have sent all of them
                return False

        return not is_web(self.url) or remote.attempt(self.url, last_byte)

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end` or the end of the object. Raises OSError."""
        if self._whole is not None:
            return self._whole[start:end]
        content: bytes = self._blocks._fetch(start, min(end, self.size))
        return content

    def _fetch(self, start: int, end: int) -> bytes:
        end = min(end, self.size)  # of the last block
        if end <= start:
            return b""
        content: bytes = remote.attempt(self.url, lambda system, name: system.cat_file(name, start=start, end=end))
        beat("fetching")
        if len(content) > end - start:  # the server ignored the range
            self._whole = content if len(content) == self.size else _whole(self.url)
            return self._whole[start:end]
        if len(content) < end - start:
            message = f"only {start + len(content)} of {self.size} bytes could be read"
            raise OSError(errno.EIO, message, without_secrets(self.url))
        return content


def _whole(url: str) -> bytes:
    content: bytes = remote.attempt(url, lambda system, name: system.cat_file(name))
    beat("fetching")
    return content


class RangeReader(io.RawIOBase):
    """An object as a file; several may read the same one.

    With `failures`, for libraries that know no exceptions, the file seems to end where one happens, which is added.
    """

    def __init__(self, source: RemoteObject, name: str = "", failures: list[OSError] | None = None) -> None:
        self.name = name
        self._source = source
        self._failures = failures
        self._position = 0

    def again(self) -> RangeReader:
        """The same file from its start."""
        return RangeReader(self._source, self.name, self._failures)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        try:
            content = self._source.read(self._position, self._position + len(buffer))
        except OSError as error:
            if self._failures is None:
                raise
            self._failures.append(error)
            return 0
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
