"""What a format must do to hold many sources in one file."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import numpy as np

from torch_zoo.utils.sinks.containers.entries import utf8
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file that is written again holds already, but for some sources."""

    path: str
    without: Collection[str]  # names


class Container(ABC):
    """A file format. Paths are local or URLs; damaged files, and those of something else, are UsageErrors."""

    suffix: ClassVar[str]

    @abstractmethod
    def sources(self, path: str) -> dict[str, bytes]:
        """Names of the sources in a file, each with its line of the record of origins, empty where there is none."""

    @abstractmethod
    def write(self, file: BinaryIO, new: Iterable[pa.RecordBatch], about: Mapping[str, str], kept: Kept | None) -> None:
        """Write what is kept, then the new entries. Raises OSError if `file` can't be written.

        `new` may be iterated more than once. `about` goes into the metadata of the file, where the format has any.
        """

    def check(self, path: str, arrays: Mapping[str, np.dtype]) -> None:
        """Raise UsageError if a file can't take such arrays besides those it has."""


def by_name(lines: bytes, path: str) -> dict[str, bytes]:
    """The lines of the record in a file, by name. Raises UsageError if they are damaged."""
    try:
        return {utf8(json.loads(line)["name"]): line + b"\n" for line in lines.split(b"\n") if line}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: damaged; delete it or move it away") from error
