"""What is worked around in PyAV."""

from __future__ import annotations

from collections.abc import Iterator

from torch_zoo.utils.media.streams import packets


class StreamBeginsMidway:
    """A container as PyAV 18 demuxes it if one of its streams has been found behind the first packets."""

    def demux(self, *streams: object) -> Iterator[str]:
        yield from ("packet", "flush packet")
        raise IndexError("list index out of range")


def test_a_stream_that_begins_midway_does_not_end_the_others_with_an_error() -> None:
    assert list(packets(StreamBeginsMidway(), "stream")) == ["packet", "flush packet"]
