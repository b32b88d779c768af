"""Write frames to a widely supported video format (H.264 in MP4)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

CLOCK = 90_000  # ticks per second
UNKNOWN_FPS = 25  # if the source does not state it; players use the timestamps
ENCODING = {"crf": "18"}  # for x264; visually lossless


def write_video(images: Iterable[tuple[float, np.ndarray]], fps: float, path: Path) -> int:
    """Times in s and RGB images (H, W, 3) uint8 -> H.264 that starts at 0; returns the number of frames.

    Raises OSError.
    """
    try:
        return _encode(images, Fraction(fps).limit_denominator(CLOCK) or Fraction(UNKNOWN_FPS), path)
    except FFmpegError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _encode(images: Iterable[tuple[float, np.ndarray]], rate: Fraction, path: Path) -> int:
    number, start = 0, 0.0
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=rate, pix_fmt="yuv420p", options=ENCODING)
        stream.codec_context.time_base = Fraction(1, CLOCK)
        for seconds, image in images:
            even = np.ascontiguousarray(image[: image.shape[0] // 2 * 2])  # yuv420p requires even sizes
            if not number:
                start = seconds
                stream.height, stream.width = even.shape[:2]
            frame = av.VideoFrame.from_ndarray(even, "rgb24")
            frame.time_base, frame.pts = stream.codec_context.time_base, round((seconds - start) * CLOCK)
            frame.duration = round(CLOCK / rate)
            file.mux(stream.encode(frame))
            number += 1
        if number:
            file.mux(stream.encode(None))
    return number
