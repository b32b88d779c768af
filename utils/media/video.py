"""Decode the frames of any media file in order, with bounded memory and exact times.

Time 0 is where playback starts, as in audio.py. docs/video.md lists the differences from OpenCV, and how frames are
selected to resample a video to another frame rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from torch_zoo.utils.media.files import check_readable
from torch_zoo.utils.media.headers import Header, Probe
from torch_zoo.utils.media.lengths import announce
from torch_zoo.utils.media.opening import Media, open_media
from torch_zoo.utils.media.streams import open_file
from torch_zoo.utils.media.video_reencoding import reencoded
from torch_zoo.utils.media.video_stream import ColorMatrix, Frame, Transform, VideoStream
from torch_zoo.utils.types import MediaError, Source, UsageError

FpsMethod = Literal["select", "reencode"]

LOWEST_FPS, HIGHEST_FPS = 0.001, 1000.0
ROUNDING = 1e-6  # frames
LARGEST_TERM = 1_001_000  # of the fraction that FFmpeg makes of a frame rate


@dataclass(frozen=True, slots=True)
class Video:
    """A video stream being decoded."""

    fps: float  # of `frames`; for a variable frame rate, the average that the container states
    frames: Iterator[Frame]  # in presentation order
    header: Header

    def probe(self, source: Source, num_rows: Callable[[int], int]) -> Probe:
        """What to expect of `source`; `num_rows` makes rows of a number of frames. Raises MediaError."""
        return self.header.probe(source, self.fps, _first_frame, num_rows)


@contextmanager
def open_video(
    source: Source,
    fps: float | None = None,
    fps_method: FpsMethod = "select",
    *,
    threads: int = 1,
    color_matrix: ColorMatrix = "tagged",
    transform: Transform | None = None,
    keep: Path | None = None,
) -> Iterator[Video]:
    """Frames of `source` with start <= pts < end. Raises MediaError, here or while frames are read.

    Args:
        source: a media file, or a segment of one.
        fps: resample the video to this frame rate.
        fps_method: `select` repeats and drops decoded frames as FFmpeg's fps filter would; `reencode` runs that filter
            and re-encodes the result, as the published extractions did.
        threads: number of decoding threads; 0 = one per core.
        color_matrix: `bt601` ignores any other matrix that the file states, as OpenCV 4 did.
        transform: applied to the RGB image of each frame that is converted.
        keep: where to save the .mp4 of `reencode`.
    """
    rate = None if fps is None else Fraction(fps).limit_denominator(LARGEST_TERM)
    reencodes = rate is not None and fps_method == "reencode"
    with (
        open_media(source, as_file=reencodes) as media,
        _opened(media, source, rate if reencodes else None, threads, keep) as stream,
    ):
        header = stream.header
        announce(source, header.end)
        if rate is not None:
            header = replace(header, begin=round_half_up(header.begin * rate) / float(rate))  # as resample_frames does
        frames = stream.frames(source.start, color_matrix, transform)
        if rate is not None and fps_method == "select":
            frames = resample_frames(frames, rate)
        yield Video(stream.fps if rate is None else float(rate), _trim(frames, source), header)


def check_fps(option: str, fps: float | None) -> None:
    """Raise UsageError unless the frame rate is None or in the range that FFmpeg's fps filter accepts."""
    if fps is not None and not LOWEST_FPS <= fps <= HIGHEST_FPS:
        raise UsageError(f"{option}={fps:g}: must be from {LOWEST_FPS:g} to {HIGHEST_FPS:g} frames per second")


def resample_frames(frames: Iterable[Frame], fps: Fraction) -> Iterator[Frame]:
    """Frames at multiples of 1/fps s as FFmpeg's fps filter selects them.

    Each pts is rounded to the nearest multiple. If several frames fall on the same one, the last is used; it is
    repeated until the next frame.
    """
    held = None
    due = 0
    for new in frames:
        tick = round_half_up(new.pts * fps)
        if held is None:
            due = tick
        else:
            yield from _repeated(held, range(due, tick), fps)
            due = max(due, tick)
        held = new
    if held is not None:
        yield from _repeated(held, range(due, round_half_up((held.pts + held.duration) * fps)), fps)


def round_half_up(value: Fraction | float) -> int:
    return math.floor(value + Fraction(1, 2))


def _repeated(frame: Frame, ticks: range, fps: Fraction) -> Iterator[Frame]:
    for tick in ticks:
        yield replace(frame, pts=tick / fps, duration=1 / fps)


def _first_frame(position: float) -> int:
    """The first frame from a position on, in frames."""
    return math.ceil(position - ROUNDING)


def _trim(frames: Iterable[Frame], source: Source) -> Iterator[Frame]:
    """The frames with start <= pts < end of `source`."""
    stop = 0.0
    for frame in frames:
        if source.end is not None and frame.pts_seconds >= source.end:
            return
        stop = float(frame.pts + frame.duration)
        if frame.pts_seconds >= source.start:
            yield frame
    if source.start and stop <= source.start:
        raise MediaError(f"the segment starts at {source.start:g} s, but the video ends at {stop:.2f} s")


@contextmanager
def _opened(
    media: Media, source: Source, reencode: Fraction | None, threads: int, keep: Path | None
) -> Iterator[VideoStream]:
    check_readable(media)
    if reencode is not None:
        with reencoded(media, source, reencode, threads, keep) as stream:
            yield stream
    else:
        with open_file(media.location) as container:
            yield VideoStream(container, threads)
