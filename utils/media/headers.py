"""What is known of a source before it is decoded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch_zoo.utils.media.lengths import likely_end
from torch_zoo.utils.media.streams import COVER_IMAGES, format_name, play_start
from torch_zoo.utils.types import MediaError, Source


@dataclass(frozen=True, slots=True)
class Probe:
    """What is to be expected of a source, before it is decoded."""

    streams: str  # of the file
    rate: float  # of the stream that is read: Hz, or frames per second
    seconds: float | None  # of media; None where the file does not say
    rows: int | None  # of features; None where that is unknown
    exact: bool  # whether the lengths are certain, unless the file is damaged


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a stream before it is decoded."""

    streams: str  # of the file
    begin: float  # where its first frame is, s since playback starts; sound is preceded by silence
    end: float | None  # where the stream probably ends, s since playback starts
    exact: bool  # whether that is certain: the header counts the samples or frames

    @classmethod
    def of(cls, container: Any, stream: Any) -> Header:
        kind = format_name(container), stream.type
        exact = kind == ("flac", "audio") or (kind == ("mov", "video") and stream.frames > 0)
        late = stream.type == "video" and stream.start_time
        begin = float(stream.start_time * stream.time_base - play_start(container)) if late else 0.0
        return cls(_streams(container), begin, likely_end(container, stream), exact)

    def probe(
        self,
        source: Source,
        rate: float,
        place: Callable[[float], int],
        num_rows: Callable[[int], int],
        exact: bool = True,
    ) -> Probe:
        """What to expect of a source, whose stream has `rate` samples or frames per second.

        `place` is the first of them at or after a position, and `num_rows` how many rows a number of them make.
        Raises MediaError if the source starts after the end.
        """
        exact = exact and self.exact
        if self.end is None or not rate:
            return Probe(self.streams, rate, None, None, exact)
        if 0 < source.start >= self.end:
            raise MediaError(f"the segment starts at {source.start:g} s, but the media end at {self.end:.2f} s")
        last = self.end if source.end is None else min(self.end, source.end)
        stop = math.floor((self.end - self.begin) * rate + 0.5)
        if source.end is not None:
            stop = min(stop, place((source.end - self.begin) * rate))
        number = max(0, stop - place(max(0.0, source.start - self.begin) * rate))
        return Probe(self.streams, rate, last - source.start, num_rows(number), exact)


def _streams(container: Any) -> str:
    """The streams of a container, e.g. h264 640x360 25 fps, aac 44100 Hz."""
    return ", ".join(filter(None, map(_described, container.streams)))


def _described(stream: Any) -> str:
    codec = stream.codec_context
    if stream.type == "video" and codec and not stream.disposition & COVER_IMAGES:
        return f"{codec.name} {codec.width}x{codec.height} {float(stream.average_rate or 0):.4g} fps"
    return f"{codec.name} {stream.rate} Hz" if stream.type == "audio" and codec else ""
