"""Atomic writes: a file is complete, or it is the one that was there before."""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Iterator
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


def remove_partial(folder: Path, token: str) -> None:
    """Remove what a writer that was killed left half-written."""
    for partial in folder.glob(f".{glob.escape(token)}.*.part"):
        partial.unlink(missing_ok=True)
