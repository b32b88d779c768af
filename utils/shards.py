"""Shards of a list: `3/16` is the third of sixteen parts, for as many runs that share the work.

A source's name decides on its shard. Names are unique, are the same wherever the media are mounted, and are what
outputs are called; so each run finds its own part without knowing of the others, and whatever else a list comes to
hold, a source that keeps its outputs keeps its shard.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass

from torch_zoo.utils.types import UsageError

_WRITTEN = re.compile(r"(\d{1,9})/(\d{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts, the first of which has number 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Raises UsageError."""
        written = _WRITTEN.fullmatch(text)
        if not written or not 1 <= int(written[1]) <= int(written[2]):
            raise UsageError(f"shard={text}: must be the number of a shard and how many there are: 1/16 to 16/16")
        return cls(int(written[1]), int(written[2]))

    def holds(self, name: str) -> bool:
        """Is the source of this name one of this shard's?"""
        digest = hashlib.sha256(os.fsencode(name)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"shard {self.number} of {self.count}"
