"""SequenceExamples are written and read as by Google's protobuf library, and any bytes end in values or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from example_proto import SequenceExample, serialized
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.utils.tfrecords.sequence_example import (
    bytes_feature,
    context_of,
    encode,
    feature_list,
    feature_lists_of,
    float_feature,
    int64_feature,
)
from torch_zoo.utils.tfrecords.wire import field, fields, varint

FEATURES = st.one_of(
    st.lists(st.binary(max_size=20), max_size=4),
    st.lists(st.floats(width=32, allow_nan=False), max_size=4),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
)
CONTEXTS = st.dictionaries(st.text(max_size=5), FEATURES, max_size=4)
LISTS = st.dictionaries(st.text(max_size=5), st.lists(FEATURES, max_size=4), max_size=3)


@given(CONTEXTS, LISTS)
def test_what_protobuf_writes_is_read(context: dict[str, list[Any]], lists: dict[str, list[list[Any]]]) -> None:
    payload = serialized(context, lists)
    assert context_of(payload) == context
    assert feature_lists_of(payload) == lists


@given(st.binary(max_size=30), st.floats(width=32, allow_nan=False), st.lists(st.integers(0, 2**63 - 1), min_size=1))
def test_what_is_written_are_the_bytes_of_protobuf(value: bytes, number: float, labels: list[int]) -> None:
    context = {"id": bytes_feature(value), "start": float_feature(number), "labels": int64_feature(labels)}
    rows = feature_list(map(bytes_feature, (value, b"x")))
    expected = serialized({"id": [value], "start": [number], "labels": labels}, {"rows": [[value], [b"x"]]})
    assert encode(context, {"rows": rows}) == expected


@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_by_protobuf_or_refused(content: bytes) -> None:
    """Within a context, so that more than the first field is reached."""
    for payload in (content, field(1, content), field(2, field(1, field(1, b"a") + field(2, content)))):
        try:
            found = context_of(payload), feature_lists_of(payload)
        except ValueError:
            continue
        try:
            theirs = SequenceExample.FromString(payload)
        except DecodeError:
            continue  # it refuses more, such as groups that do not end
        assert set(found[0]) == set(theirs.context.feature)
        assert {name: len(each) for name, each in found[1].items()} == {
            name: len(each.feature) for name, each in theirs.feature_lists.feature.items()
        }


@given(st.data())
def test_damaged_messages_end_in_values_or_an_error(data: st.DataObject) -> None:
    payload = bytearray(serialized({"id": [b"abc"], "labels": [1, 300]}, {"rows": [[bytes(50)], [bytes(50)]]}))
    for _ in range(data.draw(st.integers(1, 5))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    payload = payload[: data.draw(st.integers(0, len(payload)))]
    try:
        lists = feature_lists_of(bytes(payload)).values()
        found = [*context_of(bytes(payload)).values(), *(feature for features in lists for feature in features)]
    except ValueError:
        return
    values = [value for feature in found for value in feature]
    assert sum(len(value) if isinstance(value, bytes) else 1 for value in values) <= len(payload)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"\x0a\x05abc", "field 1 announces 5 bytes, and 3 are left"),
        (b"\x0a" + varint(2**63) + b"abc", f"field 1 announces {2**63} bytes, and 3 are left"),
        (b"\xff" * 40, "a number that does not end"),
        (b"\x0b", "unknown wire type 3"),
        (b"\x0d\x00\x00", "field 1 announces 4 bytes, and 2 are left"),
    ],
)
def test_what_is_wrong_is_said(message: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(fields(memoryview(message)))


def test_parts_of_a_message_are_merged() -> None:
    one, two = (field(1, field(1, value)) for value in (b"x", b"y"))
    for entry in (field(2, one) + field(2, two), field(2, one + two), field(2, field(2, b"")) + field(2, one + two)):
        payload = field(1, field(1, field(1, b"id") + entry))
        theirs = SequenceExample.FromString(payload).context.feature["id"].bytes_list.value
        assert context_of(payload) == {"id": list(theirs)} == {"id": [b"x", b"y"]}


def test_numbers_that_are_not_packed_and_unknown_fields_are_read() -> None:
    """As protobuf 2 wrote them, and as a later version may add them."""
    labels = field(3, b"\x08\x03\x08\xac\x02")
    start = field(2, b"\x0d" + np.float32(1.5).tobytes())
    entries = (field(1, field(1, name) + field(2, value)) for name, value in ((b"labels", labels), (b"start", start)))
    unknown = b"\x78\x01" + b"\x79" + bytes(8) + b"\x7d" + bytes(4) + field(9, b"x")
    assert context_of(unknown + field(1, b"".join(entries))) == {"labels": [3, 300], "start": [1.5]}
