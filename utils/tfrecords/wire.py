"""Protobuf's wire format: a message is a sequence of fields, each with a number and a value.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

LONGEST_VARINT = 10  # bytes, of 64 bits

Value = int | memoryview  # of a varint, else the bytes


class Wire(IntEnum):
    """How the value of a field is stored."""

    VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5


FIXED_BYTES = {Wire.FIXED_64: 8, Wire.FIXED_32: 4}


def varint(value: int) -> bytes:
    """Seven bits per byte, the low ones first; the high bit says that more follow."""
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def field(number: int, payload: bytes) -> bytes:
    """A field of bytes: a string, a message, or packed numbers."""
    return varint(number << 3 | Wire.BYTES) + varint(len(payload)) + payload


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of each field. Raises ValueError."""
    place = 0
    while place < len(message):
        tag, place = _varint_at(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == Wire.VARINT:
            value, place = _varint_at(message, place)
            yield number, value
            continue
        if kind == Wire.BYTES:
            size, place = _varint_at(message, place)
        elif kind in FIXED_BYTES:
            size = FIXED_BYTES[Wire(kind)]
        else:
            raise ValueError(f"field {number} is of the unknown wire type {kind}")
        if size > len(message) - place:
            raise ValueError(f"field {number} announces {size} bytes, and {len(message) - place} are left")
        yield number, message[place : place + size]
        place += size


def varints(packed: memoryview) -> Iterator[int]:
    """Packed numbers from 0 to 2^64 - 1. Raises ValueError."""
    place = 0
    while place < len(packed):
        value, place = _varint_at(packed, place)
        yield value


def _varint_at(message: memoryview, place: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    value = 0
    for index, byte in enumerate(message[place : place + LONGEST_VARINT]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value & (1 << 64) - 1, place + index + 1
    raise ValueError("a number that does not end")
