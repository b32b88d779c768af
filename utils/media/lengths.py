"""The duration that a container states: announced, and checked against what was decoded from it."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError

from torch_zoo.utils import heartbeat
from torch_zoo.utils.media.streams import format_name, packets, play_start, reopened
from torch_zoo.utils.types import MediaError, Source

# Containers that state the duration of each stream; for others FFmpeg estimates it from the bit rate.
STATE_EACH_LENGTH = {"mov", "flac", "wav", "avi", "asf", "aiff", "caf", "mxf"}
STATE_THE_LONGEST = {"matroska", "flv"}  # containers that state only the duration of their longest stream
TOLERANCE_SECONDS = 0.5  # between the stated and the actual duration
LONGEST_GAP_SECONDS = 3600.0  # if no duration is stated; a longer gap is a damaged timestamp


def stated_end(container: Any, stream: Any) -> Fraction | None:
    """The stated end of a stream, s since playback starts; None if the container does not state it."""
    name = format_name(container)
    if name == "matroska":
        tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3]) if tag else None
    # the header of an mp3 that states the encoder delay also states the number of frames
    if name in STATE_EACH_LENGTH or (name == "mp3" and stream.start_time):
        begin = stream.start_time or 0
        return (begin + stream.duration) * stream.time_base - play_start(container) if stream.duration else None
    return None


def likely_end(container: Any, stream: Any) -> float | None:
    """Where a stream probably ends, s since playback starts: as stated, or else as FFmpeg estimates it."""
    stated = stated_end(container, stream)
    if stated is None and container.duration:
        stated = Fraction(container.duration, av.time_base)
    return None if stated is None else float(stated)


def announce(source: Source, end: float | None) -> None:
    """Tell how much of a source there is to decode, if its media probably end at `end` s."""
    if end is not None:
        last = end if source.end is None else min(end, source.end)
        heartbeat.announce(max(0.0, last - source.start))


def check_length(container: Any, stream: Any, end: float) -> None:
    """Raise MediaError if the container states that the stream continues after `end` s."""
    announced = stated_end(container, stream)
    if announced is None and (longest := _longest(container, stream)) is not None:
        reached = end if end >= longest - TOLERANCE_SECONDS else _last_end(container)
        announced = longest if reached < longest - TOLERANCE_SECONDS else None
    if announced is not None and end < announced - TOLERANCE_SECONDS:
        raise MediaError(f"truncated: {end:.2f} s of {stream.type} are there, {float(announced):.2f} s are announced")


def check_jump(container: Any, stream: Any, reached: float, gap: float = 0.0) -> None:
    """Raise MediaError if timestamps that skip `gap` s and reach `reached` s can't be right.

    They may not exceed the stated end or, if none is stated, skip more than an hour.
    """
    announced = stated_end(container, stream)
    if announced is None:
        announced = _longest(container, stream)
    if announced is None and gap > LONGEST_GAP_SECONDS:
        raise MediaError(f"damaged: its timestamps skip {gap:.0f} s before {reached:.2f} s of {stream.type}")
    if announced is not None and reached > announced + TOLERANCE_SECONDS:
        raise MediaError(
            f"damaged: its timestamps reach {reached:.2f} s of {stream.type}, {float(announced):.2f} s are announced"
        )


def _longest(container: Any, stream: Any) -> Fraction | None:
    """Duration of the longest stream, s, if the container states only that.

    (FFmpeg sets its estimates from the bit rate on the streams as well.)
    """
    if format_name(container) not in STATE_THE_LONGEST or stream.duration is not None or not container.duration:
        return None
    return Fraction(container.duration, av.time_base)


def _last_end(container: Any) -> Fraction:
    """The end of the last packet of any stream, s; reads the file again, without decoding."""
    last = Fraction(0)
    try:
        with reopened(container) as again:
            for packet in packets(again):
                if packet.pts is not None:
                    last = max(last, (packet.pts + (packet.duration or 0)) * packet.time_base)
    except FFmpegError:  # count only what precedes the damage
        pass
    return last
