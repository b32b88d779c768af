"""Write pictures as a video that every player knows."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

CLOCK = 90_000  # ticks a second
UNKNOWN_FPS = 25  # where the clip does not tell; a player goes by the times
ENCODING = {"crf": "18"}  # x264's scale; the eye sees no loss


def write_video(pictures: Iterable[tuple[float, np.ndarray]], fps: float, path: Path) -> int:
    """Pictures and their times in s -> H.264 that starts at 0 and every player knows; returns how many they are.

    Raises OSError.
    """
    try:
        return _encode(pictures, Fraction(fps).limit_denominator(CLOCK) or Fraction(UNKNOWN_FPS), path)
    except FFmpegError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _encode(pictures: Iterable[tuple[float, np.ndarray]], rate: Fraction, path: Path) -> int:
    number, start = 0, 0.0
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=rate, pix_fmt="yuv420p", options=ENCODING)
        stream.codec_context.time_base = Fraction(1, CLOCK)
        for seconds, picture in pictures:
            even = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2])  # as yuv420p wants it
            if not number:
                start = seconds
                stream.height, stream.width = even.shape[:2]
            shown = av.VideoFrame.from_ndarray(even, "rgb24")
            shown.time_base, shown.pts = stream.codec_context.time_base, round((seconds - start) * CLOCK)
            shown.duration = round(CLOCK / rate)
            file.mux(stream.encode(shown))
            number += 1
        if number:
            file.mux(stream.encode(None))
    return number
