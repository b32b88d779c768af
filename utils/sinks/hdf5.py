"""Features in one HDF5 file, a group per source."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.extras import require
from torch_zoo.utils.sinks.containers.container import Container, Kept
from torch_zoo.utils.sinks.containers.entries import name_of
from torch_zoo.utils.sinks.containers.samples import JSON, TIMES, SampleSink, read
from torch_zoo.utils.sinks.containers.shards import Limit
from torch_zoo.utils.types import Commit, Source, UsageError

if TYPE_CHECKING:
    import h5py
    import pyarrow as pa


class HDF5(Container):
    """`<name>/<key>`, and as attributes of the group where it is from."""

    suffix: ClassVar[str] = ".h5"

    def sources(self, path: str) -> dict[str, bytes]:
        with _open(path) as file:
            return {name_in(group): b"" for group in file}

    def write(self, file: BinaryIO, new: Iterable[pa.RecordBatch], about: Mapping[str, str], kept: Kept | None) -> None:
        import h5py

        with h5py.File(file, "w", libver="latest") as written:
            written.attrs.update(about)
            if kept:
                with _open(kept.path) as before:
                    for group in before:
                        if name_in(group) not in kept.without:
                            before.copy(group, written)
            for entry in new:
                _add(written.create_group(group_of(name_of(entry))), read(entry))


@dataclass(frozen=True, kw_only=True)
class SaveHDF5(SampleSink):
    """`features.h5`."""

    container: ClassVar[Container] = HDF5()
    limit: ClassVar[Limit | None] = None
    separator: ClassVar[str] = "/"

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        require("hdf5", "h5py")
        if storage.is_url(self.folder):
            raise UsageError(
                f"output_path={self.folder}: an HDF5 file grows with each run, so it needs a local folder; "
                "on_extraction=save_table and save_webdataset write to URLs"
            )
        return super().prepare(settings, sources, arrays, overwrite)


def group_of(name: str) -> str:
    """The group of a source: its name, but for `.`, which HDF5 keeps for itself."""
    return f"%25{name[1:]}" if name.startswith("%") else "%2E" if name == "." else name


def name_in(group: str) -> str:
    return f"%{group[3:]}" if group.startswith("%25") else "." if group == "%2E" else group


def _add(group: h5py.Group, pieces: Mapping[str, bytes]) -> None:
    described = json.loads(pieces[JSON])
    group.create_dataset(TIMES, data=np.array(described.pop(TIMES)).reshape(-1, 2))
    group.attrs.update({name: value for name, value in described.items() if value is not None})
    for piece, content in pieces.items():
        if piece != JSON:
            group.create_dataset(piece.removesuffix(".npy"), data=np.load(io.BytesIO(content), allow_pickle=False))


@contextmanager
def _open(path: str) -> Iterator[h5py.File]:
    import h5py

    try:
        with storage.open_read(path) as file, h5py.File(file, "r") as opened:
            yield opened
    except (OSError, RuntimeError, KeyError) as error:
        if isinstance(error, OSError) and error.errno:
            raise UsageError(f"{path}: cannot be read ({storage.reason(error)})") from error
        raise UsageError(f"{path}: damaged, or not an HDF5 file; delete it or move it away") from error
