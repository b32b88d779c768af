"""Pictures of any media file, one after the other: bounded memory, exact times, errors in one line.

Time 0 is where the file starts to play, as in audio.py. docs/video.md says where that differs from OpenCV, and how
frames are chosen for another rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from torch_zoo.utils.media.tracks import check_readable, open_file
from torch_zoo.utils.media.video_reencoding import reencoded
from torch_zoo.utils.media.video_track import Colours, Picture, Shown, Track
from torch_zoo.utils.types import MediaError, Source

FpsFilter = Literal["timestamps", "ffmpeg"]

LARGEST_TERM = 1_001_000  # of the fraction that FFmpeg makes of a frame rate


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture and when it is shown. One that is passed over is never converted."""

    seconds: float
    picture: Picture

    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB; the same array again where the frame repeats the one before."""
        return self.picture.image()


@dataclass(frozen=True, slots=True)
class Video:
    """A track being decoded."""

    fps: float  # of `frames`; where pictures come at varying intervals, the one that the container states
    width: int  # px, upright
    height: int
    frames: Iterator[Frame]  # in the order they are shown


@contextmanager
def open_video(
    source: Source,
    fps: float | None = None,
    fps_filter: FpsFilter = "timestamps",
    *,
    threads: int = 1,
    colours: Colours = "tagged",
    keep: Path | None = None,
) -> Iterator[Video]:
    """The frames of `source` shown from its start until before its end. Raises MediaError here or while they are read.

    `fps` brings them to another rate: `timestamps` repeats and drops decoded ones as FFmpeg's fps filter would;
    `ffmpeg` runs that filter and encodes the result anew, as the published extractions did, and leaves it in `keep`.
    `threads` decode (0: as many as there are cores). `colours=bt601` takes no notice of another matrix in the file,
    as OpenCV 4 did.
    """
    check_readable(source.path)
    rate = None if fps is None else Fraction(fps).limit_denominator(LARGEST_TERM)
    reader: AbstractContextManager[Track]
    if rate is not None and fps_filter == "ffmpeg":
        reader = reencoded(source, rate, threads, keep)
    else:
        reader = _opened(source.path, threads)
    with reader as track:
        (width, height), shown = track.open(source.start, colours)
        if rate is not None and fps_filter == "timestamps":
            shown = at_rate(shown, rate)
        yield Video(track.fps if rate is None else float(rate), width, height, _cut(shown, source))


def at_rate(shown: Iterable[Shown], fps: Fraction) -> Iterator[Shown]:
    """Pictures at multiples of 1/fps s as FFmpeg's fps filter chooses them.

    Each time is rounded to the nearest multiple; of the pictures that fall on one the last is shown, and it stays
    until the next one comes.
    """
    held = None
    due = 0
    for new in shown:
        tick = nearest(new.time * fps)
        if held is None:
            due = tick
        else:
            yield from _repeated(held.picture, range(due, tick), fps)
            due = max(due, tick)
        held = new
    if held is not None:
        yield from _repeated(held.picture, range(due, nearest((held.time + held.duration) * fps)), fps)


def nearest(value: Fraction) -> int:
    """Rounded to a whole number, halves up."""
    return math.floor(value + Fraction(1, 2))


def _repeated(picture: Picture, ticks: range, fps: Fraction) -> Iterator[Shown]:
    for tick in ticks:
        yield Shown(tick / fps, 1 / fps, picture)


def _cut(shown: Iterable[Shown], source: Source) -> Iterator[Frame]:
    """What is shown from the start of `source` until before its end."""
    stop = 0.0
    for one in shown:
        seconds = float(one.time)
        if source.end is not None and seconds >= source.end:
            return
        stop = float(one.time + one.duration)
        if seconds >= source.start:
            yield Frame(seconds, one.picture)
    if source.start and stop <= source.start:
        raise MediaError(f"the segment starts at {source.start:g} s, but the video ends at {stop:.2f} s")


@contextmanager
def _opened(path: str, threads: int) -> Iterator[Track]:
    with open_file(path) as container:
        yield Track(container, threads)
