"""Before any work: does every node see what the driver sees? Media, weights, the output folder, and this package."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import torch_zoo
from torch_zoo.utils import storage
from torch_zoo.utils.types import Source

MOST_MEDIA = 100  # local files that are looked for, of all
MOST_URLS = 3
WAY_OUT = "media, weights and outputs must lie in storage that all nodes share, or be URLs"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the driver has, for a node to compare with."""

    version: str
    paths: tuple[str, ...]

    def problem(self) -> str:
        """Asked on a node: what it lacks, in a line; nothing if all is well."""
        if torch_zoo.__version__ != self.version:
            return f"has torch-zoo {torch_zoo.__version__}, and the driver {self.version}; install the same everywhere"
        for path in self.paths:
            try:
                storage.stamp(path)
            except OSError as error:
                return f"can't see {path} ({storage.reason(error)}); {WAY_OUT}"
        return ""


def needed_by(sources: Sequence[Source], *owners: Any) -> Preflight:
    """Of media, a sample; of the `owners`, dataclasses of options, all local files that they name."""
    values = (getattr(owner, field.name) for owner in owners for field in fields(owner))
    named = [value for value in values if isinstance(value, str) and os.path.isfile(value)]
    local = [source.path for source in sources if not storage.is_url(source.path)]
    urls = [source.path for source in sources if storage.is_url(source.path)]
    sample = [*_spread(local, MOST_MEDIA), *_spread(urls, MOST_URLS)]
    absolute = [path if storage.is_url(path) else os.path.abspath(path) for path in (*named, *sample)]
    return Preflight(torch_zoo.__version__, tuple(filter(_is_there, dict.fromkeys(absolute))))


@contextmanager
def probe(destination: str) -> Iterator[tuple[str, ...]]:
    """A file that nodes must see in the block, where outputs will be; none where there will be no outputs."""
    if not destination:
        yield ()
        return
    name = f".probe-{secrets.token_hex(4)}"
    path = f"{destination}{name}" if storage.is_url(destination) else os.path.join(_existing_folder(destination), name)
    with storage.atomic_write(path):
        pass
    try:
        yield (path,)
    finally:
        storage.remove(path)


def _existing_folder(path: str) -> str:
    """The nearest one above a path."""
    path = os.path.abspath(path)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _spread(paths: Sequence[str], most: int) -> Sequence[str]:
    """At most this many, evenly spread over the list."""
    return paths[:: -(-len(paths) // most)] if paths else paths


def _is_there(path: str) -> bool:
    """One that the driver can't see either is a problem of its source alone."""
    try:
        storage.stamp(path)
    except OSError:
        return False
    return True
