"""What one process has done so far, on its way to a table: rows of one source after the other, in one file.

A journal is a row of Arrow IPC streams, each with a single batch, so that a process may be killed at any time: what is
whole before the break counts. Its file is locked (flock) while the process lives.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

PATTERN = "embeddings.*.journal"  # not hidden: such a file holds features, which claim_folder must see


class Journal:
    """The journal of this process in `folder`, begun when it is built."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        prefix, suffix = PATTERN.split("*")
        while True:
            self._file, _ = tempfile.mkstemp(suffix, f"{prefix}{os.getpid()}.", folder)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if os.fstat(self._file).st_nlink:  # nobody took it for a dead one before it was locked
                return
            os.close(self._file)

    def append(self, rows: pa.RecordBatch) -> None:
        """Add the rows of a source, whole or not at all. Raises OSError."""
        import pyarrow as pa

        buffer = pa.BufferOutputStream()
        with pa.ipc.new_stream(buffer, rows.schema) as stream:
            stream.write_batch(rows)
        left = memoryview(buffer.getvalue())
        start = os.fstat(self._file).st_size
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, start)
            os.lseek(self._file, start, os.SEEK_SET)
            raise

    def close(self) -> None:
        os.close(self._file)


@contextmanager
def ended(folder: Path) -> Iterator[list[Path]]:
    """The journals of processes that live no more, oldest first, locked; those of living ones are left out."""
    locked: dict[Path, int] = {}
    try:
        for path in sorted(folder.glob(PATTERN), key=lambda path: path.stat().st_mtime_ns):
            file = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
            else:
                locked[path] = file
        yield list(locked)
    finally:
        for file in locked.values():
            os.close(file)


def read(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches that were written whole, without being loaded: they lie in the mapped file."""
    import pyarrow as pa

    if not path.stat().st_size:
        return  # an empty file can't be mapped
    with pa.memory_map(str(path)) as file:
        while file.tell() < file.size():
            try:
                with pa.ipc.open_stream(file) as stream:
                    batch = stream.read_next_batch()
                    next(stream, None)  # steps over the mark at its end
            except (pa.ArrowInvalid, OSError, StopIteration):
                return  # its process was killed here
            yield batch
