"""Tar files by the rules of WebDataset: a sample is the members that agree in their name up to its first dot."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers.container import Container, Kept, by_name
from torch_zoo.utils.sinks.containers.entries import name_of, origin_of
from torch_zoo.utils.sinks.containers.samples import read
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

SOURCES = "__sources__"  # the first member: the record of origins; readers skip members that are called so


class Tar(Container):
    """Written by the standard library: a shard is a plain tar file, and the package `webdataset` would import torch."""

    suffix: ClassVar[str] = ".tar"

    def sources(self, path: str) -> dict[str, bytes]:
        with _open(path) as tar:
            return _record(tar, path)

    def write(self, file: BinaryIO, new: Iterable[pa.RecordBatch], about: Mapping[str, str], kept: Kept | None) -> None:
        """The settings are not repeated in each shard; `extraction.yaml` is beside them."""
        before = self.sources(kept.path) if kept else {}
        lines = {name: line for name, line in before.items() if kept and name not in kept.without}
        lines |= {name_of(entry): origin_of(entry) for entry in new}
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, SOURCES, b"".join(lines.values()))
            for name, content in _samples(kept) if kept else ():
                _add(tar, name, content)
            for entry in new:
                for piece, content in read(entry).items():
                    _add(tar, f"{key_of(name_of(entry))}.{piece}", content)


def key_of(name: str) -> str:
    """The key of a sample: the name, with `.` as %2E, `/` as %2F and `%` as %25, as in URLs, so that it comes back."""
    return name.replace("%", "%25").replace(".", "%2E").replace("/", "%2F")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _samples(kept: Kept) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member that is kept, but for the record."""
    gone = set(map(key_of, kept.without))
    with _open(kept.path) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content and member.name != SOURCES and member.name.partition(".")[0] not in gone:
                yield member.name, content.read()


def _record(tar: tarfile.TarFile, path: str) -> dict[str, bytes]:
    first = tar.next()
    content = tar.extractfile(first) if first and first.name == SOURCES else None
    if not content:
        raise UsageError(f"{path}: not a shard of features, it does not begin with {SOURCES}; move it away")
    return by_name(content.read(), path)


@contextmanager
def _open(path: str) -> Iterator[tarfile.TarFile]:
    try:
        with storage.open_read(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield tar
    except tarfile.TarError as error:
        raise UsageError(f"{path}: damaged, or not a tar file; delete it or move it away") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({storage.reason(error)})") from error
