"""TensorFlow's SequenceExample as bytes, written and read without TensorFlow.

Its messages (tensorflow/core/example/example.proto, feature.proto): a SequenceExample has a `context`, features by
name, and `feature_lists`, lists of features by name. A feature is a list of bytes, of floats or of integers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from torch_zoo.utils.tfrecords.wire import Value, field, fields, varint, varints

CONTEXT, FEATURE_LISTS = 1, 2  # fields of a SequenceExample
BYTES, FLOATS, INTEGERS = 1, 2, 3  # fields of a Feature

Feature = list[bytes] | list[float] | list[int]

Kind = TypeVar("Kind", bytes, float)


def bytes_feature(value: bytes) -> bytes:
    return field(BYTES, field(1, value))


def float_feature(value: float) -> bytes:
    return field(FLOATS, field(1, struct.pack("<f", value)))


def int64_feature(values: Iterable[int]) -> bytes:
    """Of integers from 0 to 2^63 - 1."""
    packed = b"".join(map(varint, values))
    return field(INTEGERS, field(1, packed) if packed else b"")


def feature_list(features: Iterable[bytes]) -> bytes:
    return b"".join(field(1, feature) for feature in features)


def encode(context: Mapping[str, bytes], feature_lists: Mapping[str, bytes]) -> bytes:
    """The message of features by name, and of lists of features by name; serialized in the order of the names."""
    return (field(CONTEXT, _map(context)) if context else b"") + field(FEATURE_LISTS, _map(feature_lists))


def context_of(payload: bytes) -> dict[str, Feature]:
    """The context of a payload; unknown fields are skipped. Raises ValueError, which says what is wrong."""
    messages = _messages(memoryview(payload), CONTEXT)
    return {name: _feature(value) for _, message in messages for name, value in _entries(message)}


def feature_lists_of(payload: bytes) -> dict[str, list[Feature]]:
    """The feature lists of a payload; as `context_of`."""
    messages = _messages(memoryview(payload), FEATURE_LISTS)
    lists = ((name, value) for _, message in messages for name, value in _entries(message))
    return {name: [_feature(each) for _, each in _messages(value, 1)] for name, value in lists}


def only(feature: Feature, kind: type[Kind], name: str) -> Kind:
    """The value of a feature that holds one, of this kind. Raises ValueError."""
    if len(feature) != 1 or not isinstance(feature[0], kind):
        raise ValueError(f"{name} does not hold one value of type {kind.__name__}")
    return feature[0]


def _map(values: Mapping[str, bytes]) -> bytes:
    return b"".join(field(1, field(1, name.encode()) + field(2, values[name])) for name in sorted(values))


def _messages(message: memoryview, *numbers: int) -> Iterator[tuple[int, memoryview]]:
    """The fields of these numbers, which hold bytes."""
    for number, value in fields(message):
        if number in numbers:
            yield number, _as_bytes(number, value)


def _entries(message: memoryview) -> Iterator[tuple[str, memoryview]]:
    """Of a map of messages by name."""
    for _, entry in _messages(message, 1):
        parts = list(_messages(entry, 1, 2))
        keys = [part for number, part in parts if number == 1]
        values = [part for number, part in parts if number == 2]  # of one message, which are merged
        yield str(keys[-1] if keys else b"", "utf-8"), memoryview(b"".join(values))


def _feature(message: memoryview) -> Feature:
    """The list that a feature holds; the last one, if it has several kinds."""
    kind, parts = BYTES, list[memoryview]()
    for number, part in _messages(message, BYTES, FLOATS, INTEGERS):
        if number != kind:
            kind, parts = number, []
        parts.append(part)
    values = (value for number, value in fields(memoryview(b"".join(parts))) if number == 1)
    if kind == BYTES:
        return [bytes(_as_bytes(1, value)) for value in values]
    if kind == FLOATS:
        return [number for value in values for number in _floats(_as_bytes(1, value))]
    return [_signed(number) for value in values for number in _integers(value)]


def _as_bytes(number: int, value: Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError(f"field {number} is a number, and should be bytes")
    return value


def _floats(value: memoryview) -> list[float]:
    """One float, or packed ones."""
    if len(value) % 4:
        raise ValueError(f"{len(value)} bytes are no floats")
    floats: list[float] = np.frombuffer(value, "<f4").tolist()
    return floats


def _integers(value: Value) -> Iterable[int]:
    """One integer, or packed ones."""
    return (value,) if isinstance(value, int) else varints(value)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
