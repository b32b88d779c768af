"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A hidden path beside `path` to write to; it takes the place of `path` if the block ends well, else it goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(folder: Path, process_id: int) -> None:
    """Clear away what a process that was killed left half-written."""
    for partial in folder.glob(f".*.{process_id}.part"):
        partial.unlink(missing_ok=True)
