"""What a source whose content can't be read was tried with: until some of it changes, it will not be read either."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from torch_zoo.utils import storage
from torch_zoo.utils.digests import digest
from torch_zoo.utils.storage import Stamp
from torch_zoo.utils.types import Extractor, MediaError, Source


class Attempt(NamedTuple):
    """A source as it is now, and the extractor with its options."""

    file: Stamp | None  # None behind a URL, or where there is no file
    start: float
    end: float | None
    extractor: Extractor

    @classmethod
    def of(cls, source: Source, extractor: Extractor) -> Attempt:
        try:
            file = None if storage.is_url(source.path) else storage.stamp(source.path)
        except OSError:
            file = None
        return cls(file, source.start, source.end, extractor)

    @property
    def digest(self) -> str:
        """Equal for attempts at one file with the same options and libraries; empty if there is no file."""
        return "" if self.file is None else digest(repr((*self, _versions())).encode())


def is_lasting(error: Exception) -> bool:
    """Is the content of the file to blame, and not what may pass: a disk, a network, permissions, memory?"""
    cause: BaseException | None = error
    while cause and not isinstance(cause, OSError | MemoryError):
        cause = cause.__cause__
    return isinstance(error, MediaError) and cause is None


@cache
def _versions() -> dict[str, str]:
    from torch_zoo.utils.runs.machine import versions

    return versions()
