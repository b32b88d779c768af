"""Features in one HDF5 file, a group per source."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.sinks import samples
from torch_zoo.utils.sinks.container import Container
from torch_zoo.utils.sinks.container_sink import ContainerSink
from torch_zoo.utils.sinks.entries import name_of
from torch_zoo.utils.types import AddedSetting, Commit, Features, Source, UsageError

if TYPE_CHECKING:
    import h5py
    import pyarrow as pa


class HDF5(Container):
    """`<name>/<array>`, with what the list says of the source as attributes of the group."""

    suffix: ClassVar[str] = ".h5"

    def sources(self, path: str) -> dict[str, bytes]:
        with _open(path) as file:
            return dict.fromkeys(map(_name, file), b"")

    def write(
        self,
        file: BinaryIO,
        entries: Iterable[pa.RecordBatch],
        about: Mapping[str, str],
        old: str | None = None,
        without: Collection[str] = (),
    ) -> None:
        import h5py

        with h5py.File(file, "w", libver="latest") as written:
            written.attrs.update(about)
            if old:
                with _open(old) as before:
                    for group in before:
                        if _name(group) not in without:
                            before.copy(group, written)
            for entry in entries:
                _add(written.create_group(_group(name_of(entry))), samples.read(entry))
