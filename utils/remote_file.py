"""Read an object behind a URL by ranges, in blocks that are kept for a while."""

from __future__ import annotations

import errno
import io
import os
from typing import Any, BinaryIO, cast

from fsspec.caching import BaseCache, BlockCache  # type: ignore[import-untyped]

from torch_zoo.utils import remote
from torch_zoo.utils.heartbeat import beat
from torch_zoo.utils.urls import without_secrets

BLOCK_BYTES = 2 << 20
BLOCKS = 16  # that are kept


def open_remote(url: str) -> BinaryIO:
    """A seekable file. Raises OSError, here or while it is read."""
    return cast(BinaryIO, io.BufferedReader(RemoteFile(url), 1 << 16))


class RemoteFile(io.RawIOBase):
    """The bytes of an object; servers that ignore ranges or state no size are asked for all of it, once."""

    def __init__(self, url: str) -> None:
        self._url = url
        size = remote.attempt(url, lambda system, name: system.info(name)).get("size")
        self._whole = None if size is not None else self._fetch_whole()
        self._size: int = len(self._whole) if self._whole is not None else size
        self._cache: BaseCache = BlockCache(BLOCK_BYTES, self._fetch, self._size, BLOCKS)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        content = self._cache._fetch(self._position, end)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def _fetch(self, start: int, end: int) -> bytes:
        if self._whole is not None:
            return self._whole[start:end]
        end = min(end, self._size)  # of the last block
        content: bytes = remote.attempt(self._url, lambda system, name: system.cat_file(name, start=start, end=end))
        beat()
        if len(content) == end - start:
            return content
        if len(content) > end - start:  # the server ignored the range
            self._whole = content if len(content) == self._size else self._fetch_whole()
            return self._whole[start:end]
        message = f"only {start + len(content)} of {self._size} bytes could be read"
        raise OSError(errno.EIO, message, without_secrets(self._url))

    def _fetch_whole(self) -> bytes:
        content: bytes = remote.attempt(self._url, lambda system, name: system.cat_file(name))
        beat()
        return content
