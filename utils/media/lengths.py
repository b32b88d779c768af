"""What a container announces of its length, checked against what was found in it."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError

from torch_zoo.utils.media.streams import format_name, play_start
from torch_zoo.utils.types import MediaError

# Containers that state the length of each stream; elsewhere it is a guess from the bit rate.
STATE_EACH_LENGTH = {"mov", "flac", "wav", "avi", "asf", "aiff", "caf", "mxf"}
STATE_THE_LONGEST = {"matroska", "flv"}  # that state one length, of their longest stream
TOLERANCE_SECONDS = 0.5  # between what is announced and what is there
LONGEST_HOLE_SECONDS = 3600.0  # where nothing is announced; a longer one is a damaged time stamp


def stated_end(container: Any, stream: Any) -> Fraction | None:
    """Where the container says that a stream ends, s since it starts to play; None where it says nothing."""
    name = format_name(container)
    if name == "matroska":
        tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3]) if tag else None
    # an mp3 counts its frames in the same header that states the encoder's delay
    if name in STATE_EACH_LENGTH or (name == "mp3" and stream.start_time):
        begin = stream.start_time or 0
        return (begin + stream.duration) * stream.time_base - play_start(container) if stream.duration else None
    return None


def check_length(container: Any, stream: Any, end: float) -> None:
    """Raise MediaError if the container announces more of the stream than was there until `end` s."""
    announced = stated_end(container, stream)
    if announced is None and (longest := _longest(container, stream)) is not None:
        reached = end if end >= longest - TOLERANCE_SECONDS else _last_end(container)
        announced = longest if reached < longest - TOLERANCE_SECONDS else None
    if announced is not None and end < announced - TOLERANCE_SECONDS:
        raise MediaError(f"truncated: {end:.2f} s of {stream.type} are there, {float(announced):.2f} s are announced")


def check_jump(container: Any, stream: Any, reached: float, hole: float = 0.0) -> None:
    """Raise MediaError if time stamps that leave out `hole` s and lead to `reached` s can't be right.

    They may not lead beyond the announced end or, where none is announced, leave out more than an hour.
    """
    announced = stated_end(container, stream)
    if announced is None:
        announced = _longest(container, stream)
    if announced is None and hole > LONGEST_HOLE_SECONDS:
        raise MediaError(f"damaged: its time stamps leave out {hole:.0f} s before {reached:.2f} s of {stream.type}")
    if announced is not None and reached > announced + TOLERANCE_SECONDS:
        raise MediaError(
            f"damaged: its time stamps lead to {reached:.2f} s of {stream.type}, {float(announced):.2f} s are announced"
        )


def _longest(container: Any, stream: Any) -> Fraction | None:
    """How long the longest stream is, s, where the container states that alone.

    (FFmpeg gives its own guesses, from bit rates, to the streams as well.)
    """
    if format_name(container) not in STATE_THE_LONGEST or stream.duration is not None or not container.duration:
        return None
    return Fraction(container.duration, av.time_base)


def _last_end(container: Any) -> Fraction:
    """Where the last packet of any stream ends, s. The file is read again, without decoding."""
    last = Fraction(0)
    try:
        with av.open(container.name, metadata_errors="ignore") as again:
            for packet in again.demux():
                if packet.pts is not None:
                    last = max(last, (packet.pts + (packet.duration or 0)) * packet.time_base)
    except FFmpegError:  # what is damaged ends there
        pass
    return last
