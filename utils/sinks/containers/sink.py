"""What all sinks share that keep many sources in a file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.predictions import report
from torch_zoo.utils.sinks.containers.container import Container
from torch_zoo.utils.sinks.containers.entries import utf8
from torch_zoo.utils.sinks.containers.shards import SHARD_BYTES, Limit
from torch_zoo.utils.sinks.containers.stored import Stored
from torch_zoo.utils.sinks.containers.waiting import Journals, OpenShards, Waiting
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.types import Commit, Features, Source, TorchZooError, UsageError, WorkerError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class ContainerSink(FolderSink):
    """A sink adds the `container`, what a source becomes in it (`encode`), and how large a file gets (`limit`)."""

    stem: ClassVar[str]  # of its files: <stem><suffix>, or <stem>-000000<suffix> and so on

    @property
    @abstractmethod
    def container(self) -> Container:
        """The format of the files."""

    @property
    @abstractmethod
    def limit(self) -> Limit | None:
        """Of a shard; None = one file of all sources, where the storage allows it."""

    @abstractmethod
    def encode(self, features: Features) -> Mapping[str, pa.Array]:
        """The columns of a source's entry, as the container stores them; without a row, nothing is stored."""

    @property
    def destination(self) -> str:
        one = self.limit is None and not storage.is_url(self.folder)
        return self.stored.path(self.stored.one) if one else self.folder

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        if not self.dry_run:
            self._gather(UsageError)  # what a run that was killed left
        waiting = self.waiting.names  # which other runs will put into files: looked at before these
        lines = self.stored.lines
        overwritten = lines.keys() & {utf8(source.name) for source in sources} if overwrite else set()
        replaced = set(self.stored.sources) if overwrite and overwritten == lines.keys() else set()
        claimed = self.claim(settings, sources, replaced, {*waiting, *lines}, b"".join(lines.values()))
        for file in list(self.stored.sources)[:1] if not replaced else ():
            self.container.check(self.stored.path(file), arrays)

        def commit() -> None:
            claimed()
            if overwritten:
                self.stored.forget()
                self.waiting.make_room(overwritten)

        return commit

    def has(self, source: Source, arrays: Mapping[str, np.dtype]) -> bool:
        name = utf8(source.name)
        return (name in self.stored.lines or name in self.waiting.names) and self.provenance.matches(source)

    def open(self, token: str) -> None:
        super().open(token)
        self.waiting.begin()

    def write(self, features: Features) -> str:
        self.waiting.add(features.source, self.encode(features))
        return report(features)

    @property
    def buffered(self) -> bool:
        return self.waiting.buffered

    def flush(self) -> None:
        self.waiting.flush()
        super().flush()

    def finish(self) -> None:
        self._gather(WorkerError)
        super().finish()

    @cached_property
    def stored(self) -> Stored:
        return Stored(self.folder, self.stem, self.container)

    @cached_property
    def waiting(self) -> Waiting:
        if storage.is_url(self.folder):
            return OpenShards(self.stored, self.provenance, self.limit or Limit(bytes=SHARD_BYTES))
        return Journals(self.stored, self.provenance, self.limit)

    def _gather(self, failure: type[TorchZooError]) -> None:
        try:
            self.join()
            self.waiting.gather()
        except OSError as error:
            raise failure(
                f"{self.destination}: cannot be written ({storage.reason(error)}); what the workers have stored is not "
                "lost: the same command completes it"
            ) from error
