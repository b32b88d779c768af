"""Shards: files of many sources, of a limited size."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_BYTES = 64 << 20  # in memory, where nothing else is asked for: some 10,000 clips of 10 s by VGGish
LONGEST_SECONDS = 600.0  # that a shard stays open: what the end of its worker may cost


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """Where a shard is full: with the source that reaches it, since no source is divided."""

    rows: int | None = None
    bytes: int | None = None  # in memory


def of_bytes(shard_bytes: int) -> Limit:
    """The limit that the option sets. Raises UsageError."""
    if shard_bytes < 1:
        raise UsageError(f"shard_bytes={shard_bytes}: must be 1 or more")
    return Limit(bytes=shard_bytes)


@dataclass(eq=False, slots=True)
class Shard:
    """An open shard: entries that are not stored yet."""

    limit: Limit
    entries: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    since: float = 0.0  # s of the monotonic clock

    def add(self, entry: pa.RecordBatch) -> None:
        if not self.entries:
            self.since = time.monotonic()
        self.entries.append(entry)
        self.rows += entry.num_rows
        self.bytes += entry.nbytes

    def remove_last(self) -> None:
        entry = self.entries.pop()
        self.rows -= entry.num_rows
        self.bytes -= entry.nbytes

    @property
    def full(self) -> bool:
        return self.rows >= (self.limit.rows or float("inf")) or self.bytes >= (self.limit.bytes or float("inf"))

    @property
    def old(self) -> bool:
        return bool(self.entries) and time.monotonic() - self.since >= LONGEST_SECONDS


def divided(entries: Iterable[pa.RecordBatch], limit: Limit) -> Iterator[Sequence[pa.RecordBatch]]:
    """The entries of one full shard after the other, and what is left."""
    shard = Shard(limit)
    for entry in entries:
        shard.add(entry)
        if shard.full:
            yield shard.entries
            shard = Shard(limit)
    if shard.entries:
        yield shard.entries
