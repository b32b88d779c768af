"""TensorFlow's SequenceExample as bytes, and the TFRecord file around it, without TensorFlow.

A record is its length (uint64), the masked CRC-32C of these 8 bytes (uint32), the payload, and the masked CRC-32C of
that; all little-endian. Of protobuf's wire format only length-delimited fields and varints are needed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

import google_crc32c

CONTEXT, FEATURE_LISTS = 1, 2  # fields of a SequenceExample
BYTES, FLOATS, INTEGERS = 1, 2, 3  # fields of a Feature


def bytes_feature(value: bytes) -> bytes:
    return _field(BYTES, _field(1, value))


def float_feature(value: float) -> bytes:
    return _field(FLOATS, _field(1, struct.pack("<f", value)))


def int64_feature(values: Iterable[int]) -> bytes:
    """Of integers from 0 to 2^63 - 1."""
    packed = b"".join(map(_varint, values))
    return _field(INTEGERS, _field(1, packed) if packed else b"")


def sequence_example(context: Mapping[str, bytes], feature_lists: Mapping[str, Iterable[bytes]]) -> bytes:
    """The message of features by name, and of lists of features by name; serialized in the order of the names."""
    lists = {name: b"".join(_field(1, feature) for feature in features) for name, features in feature_lists.items()}
    return (_field(CONTEXT, _map(context)) if context else b"") + _field(FEATURE_LISTS, _map(lists))


def record(payload: bytes) -> bytes:
    """A TFRecord file of one record."""
    length = struct.pack("<Q", len(payload))
    return length + _checksum(length) + payload + _checksum(payload)


def is_one_record(content: bytes) -> bool:
    """Is this a complete TFRecord file of one record, by its length and both checksums?"""
    return content == record(content[12:-4])


def _map(values: Mapping[str, bytes]) -> bytes:
    return b"".join(_field(1, _field(1, name.encode()) + _field(2, values[name])) for name in sorted(values))


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    """Seven bits per byte, the low ones first; the high bit says that more follow."""
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _checksum(content: bytes) -> bytes:
    crc = google_crc32c.value(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
