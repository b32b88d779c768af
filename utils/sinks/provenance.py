"""Were the outputs in a folder completed, and made from the sources that are given now? The record of it says so."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property

from torch_zoo.utils import storage
from torch_zoo.utils.sinks import origins
from torch_zoo.utils.sinks.origins import UNKNOWN, Origin
from torch_zoo.utils.sinks.record import Record
from torch_zoo.utils.types import OutputConflictError, Source


class Provenance:
    """The record of one folder: the driver reads it and merges journals, each process that writes keeps a journal."""

    def __init__(self, folder: str, record: Record) -> None:
        self._folder = folder
        self._record = record
        self._learned: dict[str, Origin] = {}  # by the driver, not yet in a journal
        self._asked: dict[str, Origin] = {}  # of objects
        self._lookup = origins.Lookup()
        self._begun = False
        self.token = f"{os.getpid()}-{secrets.token_hex(4)}"

    @property
    def is_empty(self) -> bool:
        """Is nothing recorded, as in the folders of versions that kept no record?"""
        return not self._known

    def open(self, token: str) -> None:
        """Begin a journal. Raises OSError."""
        self.token = token
        self._record.begin(token)
        self._begun = True

    def expect(self, source: Source) -> None:
        """The outputs of this source may be written soon."""
        self._lookup.expect(source)

    def origin(self, source: Source) -> Origin:
        """What its outputs are made from, as far as can be found out. Raises MediaError if it changed meanwhile."""
        return self._lookup.known(source)

    def ask(self, sources: Iterable[Source]) -> None:
        """Look at those sources that are objects and whose outputs are recorded, many at a time."""
        remote = [source for source in sources if storage.is_url(source.path) and self._known.get(source.name)]
        self._asked = origins.read_all(remote) if remote else {}

    def adopt(self, names: Iterable[str]) -> None:
        """Take in outputs of unknown origin."""
        self._learn(dict.fromkeys(names, UNKNOWN))

    def learn(self, lines: bytes) -> None:
        """Take in what the outputs themselves say of their origins."""
        said = dict(origins.entries(lines))
        self._learn({name: origin for name, origin in said.items() if origin and self._known.get(name) != origin})

    def matches(self, source: Source) -> bool:
        """Were the outputs called so made from this source? False if they were not completed.

        Raises OutputConflictError if they were made from something else.
        """
        recorded = self._known.get(source.name)
        if recorded is None:
            return False
        try:
            now = origins.seen(source)
            if recorded.is_unread(now):
                return True
            if recorded != UNKNOWN:
                now = self._asked.get(source.name, now) if now.is_remote else origins.read(source)
        except OSError:  # nothing is there to compare with
            return True
        if recorded == UNKNOWN or recorded.is_same(now):
            if recorded != now:
                self._learn({source.name: now})
            return True
        raise OutputConflictError(_conflict(self._folder, source.name, recorded, now))

    @contextmanager
    def writing(self, source: Source) -> Iterator[bytes]:
        """The block writes the outputs of the source; they count once it ends without an error.

        It gets the line that is then recorded. Raises OSError, or MediaError if the source changed meanwhile.
        """
        completed = origins.line(source.name, self.origin(source))
        self._write(origins.line(source.name, None))
        yield completed
        self._write(completed)

    def save(self) -> None:
        """Write down what the driver learned. Raises OSError."""
        if self._learned:
            self._write(b"".join(origins.line(name, origin) for name, origin in self._learned.items()))
            self._learned.clear()

    @property
    def deleted(self) -> bool:
        """Has the folder been deleted since the journal of this process was begun?"""
        return self._begun and self._record.deleted

    def flush(self) -> None:
        """Store what has been written so far. Raises OSError."""
        self._record.flush()

    def close(self) -> None:
        """End the journal of this process. Raises OSError."""
        self._record.close()
        self._begun = False

    def merge(self) -> None:
        """Join what the journals of processes that exited hold. Raises OSError."""
        self.__dict__.pop("_known", None)  # is read again when needed
        self._record.merge()

    @cached_property
    def _known(self) -> dict[str, Origin | None]:
        """What the record says of each name. Raises OSError."""
        return dict(origins.entries(self._record.read()))

    def _learn(self, learned: dict[str, Origin]) -> None:
        self._known.update(learned)
        self._learned |= learned

    def _write(self, lines: bytes) -> None:
        if not self._begun:
            self.open(self.token)
        self._record.append(lines)


def _conflict(folder: str, name: str, recorded: Origin, now: Origin) -> str:
    if recorded[:3] == now[:3]:
        return f"it has changed since {folder} got {name} from it; overwrite=true extracts it again"
    return (
        f"{folder} holds {name} made from {recorded}; choose another output_path, give it a name of its own "
        "(column name of a list), or overwrite=true"
    )
