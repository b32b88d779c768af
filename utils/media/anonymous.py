"""Files without a name, which the kernel removes when the last process that has them open ends, however it ends."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from typing import BinaryIO, cast


class AnonymousFile:
    """Bytes in memory or in the folder of temporary files; other programs open `path` while this object is open."""

    def __init__(self, in_memory: bool) -> None:
        self._file: BinaryIO
        if sys.platform == "linux":
            self._file = _memory_file() if in_memory else cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
            self.path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"
        else:  # a file that has a name, until it is closed
            named = tempfile.NamedTemporaryFile()  # noqa: SIM115
            self._file, self.path = cast(BinaryIO, named), named.name

    @property
    def size(self) -> int:
        return os.stat(self.path).st_size

    def append(self, content: bytes) -> None:
        with open(self.path, "ab") as file:
            file.write(content)

    def reader(self, name: str) -> NamedReader:
        """A new reader at its start, under the name of what it holds."""
        return NamedReader(self.path, name)

    def close(self) -> None:
        self._file.close()


class NamedReader(io.FileIO):
    """A file read under another name, of which FFmpeg takes the suffix for a hint."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(path, "rb")
        self.path = path
        self.name = name

    def again(self) -> NamedReader:
        """The same file from its start."""
        return NamedReader(self.path, self.name)


def _memory_file() -> BinaryIO:
    return os.fdopen(os.memfd_create("media", os.MFD_CLOEXEC), "rb")
