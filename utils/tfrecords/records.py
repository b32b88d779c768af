"""TFRecord files: payloads, each with its length and checksums.

A record is the length of its payload (uint64), the masked CRC-32C of these 8 bytes (uint32), the payload, and the
masked CRC-32C of that; all little-endian (tensorflow/core/lib/io/record_writer.h).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import google_crc32c

HEADER_BYTES, CHECKSUM_BYTES = 12, 4
GZIP = b"\x1f\x8b"


class DamagedError(Exception):
    """A file is no TFRecord file from this record on."""

    def __init__(self, number: int, offset: int, what: str) -> None:
        super().__init__(f"record {number} at byte {offset}: {what}")


class Record(NamedTuple):
    number: int  # from 1
    offset: int  # of its first byte in the file
    payload: bytes


def record(payload: bytes) -> bytes:
    """A TFRecord file of one record; files of several are such files, one after the other."""
    length = struct.pack("<Q", len(payload))
    return length + _checksum(length) + payload + _checksum(payload)


def is_one_record(content: bytes) -> bool:
    """Is this a complete TFRecord file of one record, by its length and both checksums?"""
    return content == record(content[HEADER_BYTES:-CHECKSUM_BYTES])


def records(file: BinaryIO) -> Iterator[Record]:
    """The records of a seekable file, one in memory at a time, none of which is larger than the file.

    Raises DamagedError, for a file that is cut off too, and OSError.
    """
    size = file.seek(0, os.SEEK_END)
    offset, number = file.seek(0), 0
    while offset < size:
        number += 1
        header = file.read(HEADER_BYTES)
        if header.startswith(GZIP) and number == 1:
            raise DamagedError(number, offset, "the file is compressed by gzip; unpack it first")
        if len(header) < HEADER_BYTES:
            raise DamagedError(
                number, offset, f"cut off, {len(header)} bytes of {HEADER_BYTES} of its header are there"
            )
        if _checksum(header[:8]) != header[8:]:
            raise DamagedError(number, offset, "the checksum of its length is wrong")
        (length,) = struct.unpack("<Q", header[:8])
        left = size - offset - HEADER_BYTES
        if length + CHECKSUM_BYTES > left:
            raise DamagedError(number, offset, f"cut off, {left} bytes of {length + CHECKSUM_BYTES} are there")
        payload, checksum = file.read(length), file.read(CHECKSUM_BYTES)
        if _checksum(payload) != checksum:
            raise DamagedError(number, offset, "the checksum of its payload is wrong")
        yield Record(number, offset, payload)
        offset += HEADER_BYTES + length + CHECKSUM_BYTES


def _checksum(content: bytes) -> bytes:
    crc = google_crc32c.value(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
