"""TFRecord files: every record comes back, and damage is named wherever it is."""

from __future__ import annotations

import io
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.utils.tfrecords.records import DamagedError, record, records

PAYLOADS = [b"one", b"", b"three" * 100]


class Watched(io.BytesIO):
    """A file that is never asked for more than it has."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None and 0 <= size <= 12 + len(self.getbuffer())
        return super().read(size)


def written(payloads: list[bytes]) -> bytes:
    return b"".join(map(record, payloads))


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_records_come_back_with_their_places(payloads: list[bytes]) -> None:
    found = list(records(io.BytesIO(written(payloads))))
    assert [each.payload for each in found] == payloads
    assert [each.number for each in found] == list(range(1, len(payloads) + 1))
    assert [each.offset for each in found] == [len(written(payloads[:index])) for index in range(len(payloads))]


@pytest.mark.parametrize("kept", range(1, len(written(PAYLOADS))))
def test_a_file_that_is_cut_off_is_damaged_where_a_record_does_not_end(kept: int) -> None:
    whole = [len(written(PAYLOADS[:number])) for number in range(4)]
    file = io.BytesIO(written(PAYLOADS)[:kept])
    if kept in whole:
        assert len(list(records(file))) == whole.index(kept)
        return
    complete = sum(place <= kept for place in whole) - 1
    found = []
    with pytest.raises(DamagedError, match=rf"record {complete + 1} at byte {whole[complete]}: cut off"):
        found.extend(records(file))


@given(st.integers(0, len(written(PAYLOADS)) - 1), st.integers(1, 255))
def test_a_changed_byte_is_damage_of_its_record(place: int, change: int) -> None:
    content = bytearray(written(PAYLOADS))
    content[place] ^= change
    number = sum(len(written(PAYLOADS[:each])) <= place for each in range(3))
    found = []
    with pytest.raises(DamagedError, match=f"^record {number} at byte {len(written(PAYLOADS[: number - 1]))}: the"):
        for each in records(io.BytesIO(content)):
            found.append(each.payload)
    assert found == PAYLOADS[: number - 1]


@given(st.binary(max_size=100))
def test_any_bytes_are_records_or_damaged_and_no_more_than_there_are_is_read(content: bytes) -> None:
    for start in (b"", record(b"first")):
        try:
            found = b"".join(record(each.payload) for each in records(Watched(start + content)))
        except DamagedError:
            continue
        assert found == start + content


def test_an_announced_length_beyond_the_file_takes_no_memory() -> None:
    length = struct.pack("<Q", 1 << 62)
    header = length + record(length)[-4:]  # with the right checksum
    tracemalloc.start()
    with pytest.raises(DamagedError, match=f"cut off, 3 bytes of {(1 << 62) + 4} are there"):
        list(records(io.BytesIO(header + b"abc")))
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_compressed_file_is_named_as_such() -> None:
    with pytest.raises(DamagedError, match="compressed by gzip"):
        list(records(io.BytesIO(b"\x1f\x8b\x08\x00" + bytes(30))))
