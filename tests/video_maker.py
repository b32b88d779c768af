"""Video files for the tests, with uniform gray frames or a moving pattern, decoded by OpenCV and the ffmpeg program."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import imageio_ffmpeg
import numpy as np
from media_maker import REPRODUCIBLE

from torch_zoo.utils.media.video import Video, open_video
from torch_zoo.utils.media.video_stream import Frame
from torch_zoo.utils.types import Source

LOSSLESS = {"codec": "ffv1", "pix_fmt": "bgr0"}  # in .mkv, .avi


def pattern(index: int, width: int, height: int) -> np.ndarray:
    """A moving color pattern, (H, W, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    bands = [2 * x + 3 * y + 5 * index, 255 - 3 * x + y - 4 * index, 40 * (x // 8 + y // 8) + 9 * index]
    return np.stack([band % 256 for band in bands], axis=-1).astype(np.uint8)


def gray(index: int, width: int, height: int) -> np.ndarray:
    """A uniform frame whose value is its index, (H, W, 3) uint8."""
    return np.full((height, width, 3), index, np.uint8)


def write_video(
    path: Path,
    frames: int | Sequence[Fraction] = 20,
    *,
    rate: Fraction | int = 25,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    picture: object = pattern,
    options: Mapping[str, str] | None = None,
    muxing: Mapping[str, str] | None = None,
) -> Path:
    """Write this many frames, or frames at these timestamps in s."""
    times = [Fraction(k) / rate for k in range(frames)] if isinstance(frames, int) else frames
    clock = Fraction(1, 90000) if not isinstance(frames, int) else 1 / Fraction(rate)
    width, height = size
    encoding = (REPRODUCIBLE if codec == "libx264" else {}) | dict(options or {})
    with av.open(str(path), "w", options=dict(muxing or {})) as container:
        stream = container.add_stream(codec, rate=rate, width=width, height=height, pix_fmt=pix_fmt, options=encoding)
        stream.codec_context.time_base = clock
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(index, width, height), "rgb24").reformat(format=pix_fmt)
            frame.time_base, frame.pts = clock, round(time / clock)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def ffmpeg(*arguments: object) -> bytes:
    """Run the program; returns what it wrote to its standard output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True).stdout


def decode(path: Path, start: float = 0.0, end: float | None = None, **how: object) -> tuple[Video, list[Frame]]:
    """Decode a file with the code under test."""
    with open_video(Source(str(path), "x", start, end), **how) as video:
        return video, list(video.frames)


def opencv(path: Path) -> tuple[float, list[float], list[np.ndarray]]:
    """Frame rate, times in s and RGB frames from cv2.VideoCapture."""
    capture = cv2.VideoCapture(str(path))
    times, images = [], []
    while True:
        read, image = capture.read()
        if not read:
            return capture.get(cv2.CAP_PROP_FPS), times, images
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        images.append(image[:, :, ::-1])


def fps_method(path: Path, fps: str) -> list[int]:
    """The indices of the `gray` frames that the fps filter of the ffmpeg program outputs."""
    width, height = 16, 16
    video_only = ("-map", "0:v:0", "-vf", f"fps=fps={fps}", "-fps_mode", "passthrough")
    raw = ffmpeg("-i", path, *video_only, "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:")
    return np.frombuffer(raw, np.uint8).reshape(-1, width * height * 3)[:, 0].tolist()
