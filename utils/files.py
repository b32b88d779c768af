"""Atomic writes: a file is complete, or it is the one that was there before."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path, token: str | None = None) -> Iterator[Path]:
    """A hidden path beside `path` to write to; it replaces `path` if the block succeeds and is removed otherwise.

    `token` names the writer, so that `remove_partial` finds what it left when it was killed; the default is its pid.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{token or os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(folder: Path, tokens: Collection[str]) -> None:
    """Remove what these writers, which were killed, left half-written in a folder or below."""
    prefixes = tuple(f".{token}." for token in tokens)
    for partial in folder.rglob(".*.part"):
        if partial.name.startswith(prefixes):
            partial.unlink(missing_ok=True)
