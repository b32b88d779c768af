"""Where features wait until they are in a file of many sources.

In a local folder each worker keeps a journal, and the driver puts the journals into files: a crash loses nothing.
Behind a URL, where nothing can be appended to, each worker holds an open shard and stores it as a whole; only then its
sources count as done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from torch_zoo.utils import storage
from torch_zoo.utils.files import remove_partial
from torch_zoo.utils.sinks import origins
from torch_zoo.utils.sinks.containers.entries import Journaled, batch, serialized
from torch_zoo.utils.sinks.containers.shards import Limit, Shard, divided
from torch_zoo.utils.sinks.containers.stored import Stored
from torch_zoo.utils.sinks.journal import Journal, exited
from torch_zoo.utils.sinks.provenance import Provenance
from torch_zoo.utils.sinks.record import locked
from torch_zoo.utils.types import Source

if TYPE_CHECKING:
    import pyarrow as pa


class Waiting(Protocol):
    """Everything raises OSError. A worker calls `begin`, then `add` and `flush`; the driver calls the others."""

    @property
    def buffered(self) -> bool:
        """As `Sink.buffered`."""

    @property
    def names(self) -> Collection[str]:
        """The sources that wait to be gathered."""

    def begin(self) -> None:
        """The token of the worker is known."""

    def add(self, source: Source, columns: Mapping[str, pa.Array]) -> None:
        """The features of a source."""

    def flush(self) -> None:
        """As `Sink.flush`."""

    def make_room(self, names: Collection[str]) -> None:
        """These sources are about to be extracted again."""

    def gather(self) -> None:
        """Put what workers that exited left into the files, each source once."""


class Journals:
    """In `<stem><suffix>.*.journal`, which are not hidden, since they hold features."""

    buffered = False

    def __init__(self, stored: Stored, provenance: Provenance, limit: Limit | None) -> None:
        self._stored = stored
        self._provenance = provenance
        self._limit = limit
        self._folder = Path(storage.local(stored.folder))
        self._pattern = f"{stored.one}.*.journal"  # other formats may have the same stem
        self.journal: Journal | None = None

    @cached_property
    def names(self) -> Collection[str]:
        names: set[str] = set()
        for journal in self._folder.glob(self._pattern):
            with suppress(FileNotFoundError):  # another run has just put it into a file
                names |= Journaled([journal]).names
        return names

    def begin(self) -> None:
        self.journal = Journal(self._folder, self._pattern, self._provenance.token)

    def add(self, source: Source, columns: Mapping[str, pa.Array]) -> None:
        if not self.journal:
            self.begin()
        assert self.journal
        with self._provenance.writing(source) as line:
            origin = line if self._limit else b""  # a single file would get a large header, and has sources.jsonl
            self.journal.append(serialized(batch(source.name, columns, origin)))

    def flush(self) -> None:
        pass

    def make_room(self, names: Collection[str]) -> None:
        pass  # what is there stays until there is something new

    def gather(self) -> None:
        if self.journal:
            self.journal.close()
            self.journal = None
        self._stored.forget()
        if any(self._folder.glob(self._pattern)):
            self._gather()
        self.__dict__.pop("names", None)

    def _gather(self) -> None:
        with locked(self._folder), exited(self._folder, self._pattern) as journals:
            remove_partial(self._folder, [self._stored.stem])  # of a driver that was killed here
            latest = Journaled(journals)
            self._stored.drop(latest.names, spared="" if self._limit else self._stored.one)
            if self._limit:
                for shard, entries in zip(self._stored.free(), divided(latest, self._limit), strict=False):
                    self._stored.write(shard, entries)
            elif (one := self._stored.one) in self._stored.sources:
                self._stored.write(one, latest, latest.names)
            elif any(True for _ in latest):
                self._stored.write(one, latest)
            latest.remove()
            self._stored.forget()


class OpenShards:
    """In the memory of the worker, until `<stem>-<token>-000000<suffix>` and so on are stored."""

    names = ()  # of other workers

    def __init__(self, stored: Stored, provenance: Provenance, limit: Limit) -> None:
        self._stored = stored
        self._provenance = provenance
        self._shard = Shard(limit)
        self._number = 0

    @property
    def buffered(self) -> bool:
        return bool(self._shard.entries)

    def begin(self) -> None:
        pass

    def add(self, source: Source, columns: Mapping[str, pa.Array]) -> None:
        entry = batch(source.name, columns, origins.line(source.name, self._provenance.origin(source)))
        if not entry.num_rows:
            return
        self._shard.add(entry)
        if self._shard.full or self._shard.old:
            try:
                self.flush()
            except Exception:  # this source fails: what waits must not grow while nothing can be stored
                self._shard.remove_last()
                raise

    def flush(self) -> None:
        if self.buffered:
            label = f"{self._provenance.token}-{self._number:06}"
            self._stored.write(self._stored.shard(label), self._shard.entries)
            self._shard = Shard(self._shard.limit)
            self._number += 1

    def make_room(self, names: Collection[str]) -> None:
        self._stored.drop(names)

    def gather(self) -> None:
        self._stored.forget()
        self._stored.drop_repeated()
