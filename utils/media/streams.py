"""Shared by the audio and video readers: open a container, select a stream, find the start of playback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import IO, Any

import av
from av.error import FFmpegError
from av.stream import Discard, Disposition

from torch_zoo.utils.media.protocols import confine
from torch_zoo.utils.storage import is_url
from torch_zoo.utils.types import MediaError

CLOCK_RESTARTS = {"mpegts", "mpeg"}  # transport and program streams, whose clock may be set again at any time
NEW_CLOCK_SECONDS = 10.0  # there, a longer jump of the timestamps is a clock discontinuity, not a gap
COVER_IMAGES = Disposition.attached_pic | Disposition.timed_thumbnails  # not played


class NoStreamError(MediaError):
    """The file has no stream of the kind that is wanted."""


def location(path: str) -> str:
    """`path` as FFmpeg expects it; otherwise, it would take the 12 in "12:30.mp4" for a protocol."""
    return path if is_url(path) else f"file:{path}"


def opened(path: str | IO[bytes], container_format: str | None = None) -> Any:
    """A PyAV container, which may open nothing but itself (`protocols.allow` aside). Raises FFmpegError."""
    options = confine(path, av.formats_available)
    file = location(path) if isinstance(path, str) else path
    return av.open(file, format=container_format, container_options=options, metadata_errors="ignore")


@contextmanager
def open_file(path: str | IO[bytes], container_format: str | None = None) -> Iterator[Any]:
    """Open a PyAV container. Raises MediaError."""
    try:
        container = opened(path, container_format)
    except FFmpegError as error:
        raise MediaError(f"not a media file, or damaged at its start ({error.strerror})") from error
    with container:
        yield container


def reopened(container: Any) -> Any:
    """The same file in another container, at its start. Raises FFmpegError."""
    return opened(container.file.file.again() if container.file else container.name.removeprefix("file:"))


def format_name(container: Any) -> str:
    """FFmpeg's name for the container format, e.g. mov for the whole MP4 family."""
    return str(container.format.name.split(",")[0])


def select(container: Any, stream: Any) -> None:
    """Read only packets of this stream."""
    for other in container.streams:
        other.discard = Discard.default if other is stream else Discard.all


def packets(container: Any, *streams: Any) -> Iterator[Any]:
    """Packets of these streams, or of all, the last one of each being empty. Raises FFmpegError."""
    with suppress(IndexError):  # PyAV's, at the end of a file in which a stream begins midway
        yield from container.demux(*streams)


def play_start(container: Any) -> Fraction:
    """When playback starts, s: the start of the earliest stream, except cover images."""
    starts = [
        stream.start_time * stream.time_base
        for stream in container.streams
        if stream.type in ("audio", "video") and stream.start_time is not None and not stream.disposition & COVER_IMAGES
    ]
    return min(starts, default=Fraction(0))
