"""The elements of container files: boxes of MP4, chunks of RIFF, elements of Matroska, pages of Ogg, packets of TS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PARENT_BOXES = frozenset(b"moov trak mdia minf stbl edts udta dinf mvex moof traf".split())
MATROSKA = bytes.fromhex("1a45dfa3")
PARENT_ELEMENTS = frozenset(  # Segment, Tracks, TrackEntry, Video, Audio, Cluster, BlockGroup, Cues, CuePoint
    map(bytes.fromhex, "18538067 1654ae6b ae e0 e1 1f43b675 a0 1c53bb6b bb".split())
)
TS_PACKET = 188  # bytes
PIECES = 8  # of a file whose layout is not known


@dataclass(frozen=True)
class Element:
    """Its bytes in the file, and those of them that state its size."""

    start: int
    stop: int
    size: tuple[int, int] | None = None  # from and to


def elements(content: bytes) -> list[Element]:
    """At least one."""
    if content[4:8] == b"ftyp":
        return list(_boxes(content, 0, len(content)))
    if content.startswith(b"RIFF"):
        return list(_chunks(content, 12, len(content)))
    if content.startswith(MATROSKA):
        return list(_matroska(content, 0, len(content)))
    if content.startswith(b"OggS"):
        return _pieces([page.start() for page in re.finditer(b"OggS", content)], content)
    packet = TS_PACKET if content.startswith(b"\x47") else max(1, len(content) // PIECES)
    return _pieces(range(0, len(content), packet), content)


def _pieces(starts: Sequence[int], content: bytes) -> list[Element]:
    return [Element(start, stop) for start, stop in zip(starts, [*starts[1:], len(content)], strict=True)]


def _boxes(content: bytes, at: int, end: int) -> Iterator[Element]:
    while at + 8 <= end:
        size = int.from_bytes(content[at : at + 4], "big")
        stop = at + size if size >= 8 else end
        yield Element(at, stop, (at, at + 4))
        if content[at + 4 : at + 8] in PARENT_BOXES:
            yield from _boxes(content, at + 8, stop)
        at = stop


def _chunks(content: bytes, at: int, end: int) -> Iterator[Element]:
    while at + 8 <= end:
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        stop = min(end, at + 8 + size + size % 2)
        yield Element(at, stop, (at + 4, at + 8))
        if content[at : at + 4] == b"LIST":
            yield from _chunks(content, at + 12, stop)
        at = stop


def _matroska(content: bytes, at: int, end: int) -> Iterator[Element]:
    while at < end and content[at]:
        sized = at + 9 - content[at].bit_length()  # where the size begins, behind the identifier
        length = 9 - content[sized].bit_length()
        size = int.from_bytes(content[sized : sized + length], "big") & ((1 << 7 * length) - 1)
        stop = min(end, sized + length + size)
        yield Element(at, stop, (sized, sized + length))
        if content[at:sized] in PARENT_ELEMENTS:
            yield from _matroska(content, sized + length, stop)
        at = stop
