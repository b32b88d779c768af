"""What the audio and the video reader share: opening a file, choosing a track, its place on the file's time line."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import IO, Any

import av
from av.error import FFmpegError
from av.stream import Discard, Disposition

from torch_zoo.utils.types import MediaError

# Containers that state the length of a track; elsewhere it is a guess from the bit rate.
STATE_THE_LENGTH = {"mov", "flac", "wav", "avi", "asf", "aiff", "caf"}
TRUNCATED_SECONDS = 0.5  # an end that comes earlier than announced by more
NEW_CLOCK_SECONDS = 10.0  # a longer jump of the time stamps in a transport stream is another clock, not a hole
PICTURES_ASIDE = Disposition.attached_pic | Disposition.timed_thumbnails  # not part of what is played


def check_readable(path: str) -> None:
    """Raise MediaError, in a person's words, where a local file can't be opened, is empty or ends too early.

    A RIFF file (WAV, AVI) states its length; libsndfile and FFmpeg take what is there without a word.
    """
    if "://" in path:
        return
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except IsADirectoryError as error:
        raise MediaError("it is a folder without media files, not a file") from error
    except OSError as error:
        raise MediaError(f"cannot be opened: {error.strerror}") from error
    if not head:
        raise MediaError("the file is empty (0 bytes)")
    magic, stated = struct.unpack("<4sI", head.ljust(8, b"\0"))
    actual = os.path.getsize(path) - 8
    if magic == b"RIFF" and actual + 1 < stated < 0x7FFF0000:  # larger: written to a pipe, length unknown
        raise MediaError(f"truncated: its header tells of {stated} bytes, {actual} are there")


def location(path: str | IO[bytes]) -> str | IO[bytes]:
    """`path` as FFmpeg must be told of it: in "12:30.mp4" it would take the 12 for a protocol."""
    return f"file:{path}" if isinstance(path, str) and "://" not in path else path


@contextmanager
def open_file(path: str | IO[bytes], container_format: str | None = None) -> Iterator[Any]:
    """PyAV's container. Raises MediaError."""
    try:
        container = av.open(location(path), format=container_format, metadata_errors="ignore")
    except FFmpegError as error:
        raise MediaError(f"not a media file, or damaged at its start ({error.strerror})") from error
    with container:
        yield container


def format_name(container: Any) -> str:
    """FFmpeg's name of the container format, e.g. mov for all of its family."""
    return str(container.format.name.split(",")[0])


def select(container: Any, stream: Any) -> None:
    """Read packets of this stream only."""
    for other in container.streams:
        other.discard = Discard.default if other is stream else Discard.all


def play_start(container: Any) -> Fraction:
    """When the file starts to play, s: its earliest track, cover pictures aside."""
    starts = [
        stream.start_time * stream.time_base
        for stream in container.streams
        if stream.type in ("audio", "video")
        and stream.start_time is not None
        and not stream.disposition & PICTURES_ASIDE
    ]
    return min(starts, default=Fraction(0))


def stated_end(container: Any, stream: Any) -> Fraction | None:
    """Where the container says that a track ends, s since it starts to play; None where it says nothing."""
    name = format_name(container)
    if name == "matroska":
        hours, minutes, seconds = stream.metadata.get("DURATION", "::").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds) if seconds else None
    # an mp3 counts its frames in the same header that states the encoder's delay
    if name in STATE_THE_LENGTH or (name == "mp3" and stream.start_time):
        begin = stream.start_time or 0
        return (begin + stream.duration) * stream.time_base - play_start(container) if stream.duration else None
    return None


def check_length(container: Any, stream: Any, end: float) -> None:
    """Raise MediaError if the container announces more of the track than was there until `end` s."""
    stated = stated_end(container, stream)
    if stated is not None and end < stated - TRUNCATED_SECONDS:
        raise MediaError(f"truncated: {end:.2f} s of {stream.type} are there, {float(stated):.2f} s are announced")
