"""Entries: sources as Arrow record batches, on their way to a file of many.

In a journal, each is an IPC stream and its CRC-32, 4 bytes: Arrow itself would take wrong numbers for features.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

NAME = b"name"  # in the metadata of a batch: its source, also where that has no row
CRC_BYTES = 4
ORIGIN = b"made_from"  # and a line of the record of what it was made from, where the file is to hold it


def utf8(name: str) -> str:
    """Arrow and HDF5 hold UTF-8 only: bytes of a file name that are none are escaped."""
    return name.encode(errors="backslashreplace").decode()


def batch(name: str, columns: Mapping[str, pa.Array], origin: bytes = b"") -> pa.RecordBatch:
    """The entry of the source of this name."""
    import pyarrow as pa

    return pa.RecordBatch.from_pydict(
        dict(columns), metadata={NAME: utf8(name).encode(), **({ORIGIN: origin} if origin else {})}
    )


def serialized(entry: pa.RecordBatch) -> bytes:
    """For a journal."""
    import pyarrow as pa

    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, entry.schema) as stream:
        stream.write_batch(entry)
    content = buffer.getvalue()
    return content.to_pybytes() + _crc(content)


def _crc(content: pa.Buffer) -> bytes:
    return zlib.crc32(content).to_bytes(CRC_BYTES, "little")


def name_of(entry: pa.RecordBatch) -> str:
    name: bytes = entry.schema.metadata[NAME]
    return name.decode()


def origin_of(entry: pa.RecordBatch) -> bytes:
    """Its line of the record, or nothing."""
    line: bytes = entry.schema.metadata.get(ORIGIN, b"")
    return line


def entries(journal: Path) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The complete entries, with the byte where each ends; not loaded, but in the mapped file."""
    import pyarrow as pa

    if not journal.stat().st_size:
        return  # an empty file can't be mapped
    with pa.memory_map(str(journal)) as file:
        while file.tell() < file.size():
            start = file.tell()
            try:
                with pa.ipc.open_stream(file) as stream:
                    entry = stream.read_next_batch()
                    next(stream, None)  # steps over the mark at its end
                length = file.tell() - start
                file.seek(start)
                if _crc(file.read_buffer(length)) != file.read(CRC_BYTES):
                    return
                entry.validate(full=True)
                name_of(entry)
            except Exception:  # whatever damage makes Arrow raise; its process may also have been killed here
                return
            yield file.tell(), entry


class Journaled:
    """The latest entry of each source in some journals, oldest first; may be iterated any number of times.

    A source whose latest entry has no row is among the `names` only.
    """

    def __init__(self, journals: Sequence[Path]) -> None:
        self._ends = dict.fromkeys(journals, 0)
        self._latest: dict[str, tuple[Path, int]] = {}
        for journal in journals:
            for end, entry in entries(journal):
                self._latest[name_of(entry)] = journal, end
                self._ends[journal] = end
        self.names = self._latest.keys()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for journal in self._ends:
            for end, entry in entries(journal):
                if entry.num_rows and self._latest[name_of(entry)] == (journal, end):
                    yield entry

    def remove(self) -> None:
        """Delete the journals. One that is damaged is set aside, with a warning; what precedes the damage counts."""
        for journal, end in self._ends.items():
            if journal.stat().st_size == end:
                journal.unlink()
                continue
            aside = journal.with_name(f"{journal.name}.damaged")
            journal.rename(aside)
            log.warning(
                "%s: damaged after %d bytes, and set aside; the sources it lacks are extracted again", aside, end
            )
