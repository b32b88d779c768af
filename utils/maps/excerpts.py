"""What a row of a table is made of, to hear and to see: its sound, a frame, its clip."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from torch_zoo.utils.media.audio import mono, open_audio, wav
from torch_zoo.utils.media.images import resize
from torch_zoo.utils.media.video import open_video
from torch_zoo.utils.media.video_writing import write_video
from torch_zoo.utils.types import MediaError, Source

CLIP_EDGE = 240  # px, the smaller one
FRAME_EDGE = 160  # px
JPEG_QUALITY = 85


def sound(path: str, start: float, end: float, seconds: float) -> bytes:
    """From `start` to `end`, at most `seconds` long, as a mono 16-bit WAV. Raises MediaError."""
    source = Source(path, path, start, min(end, start + seconds))
    with open_audio(source) as audio:
        blocks = list(mono(audio.blocks))
        if not blocks:
            raise MediaError(f"no audio between {source.start:g} and {source.end:g} s")
        return wav(np.concatenate(blocks), audio.rate)


def frame(path: str, start: float, end: float) -> bytes:
    """The frame in the middle as a small JPEG; the first one if the media end before. Raises MediaError."""
    try:
        return _first_frame(path, (start + end) / 2, end)
    except MediaError:
        return _first_frame(path, start, end)


def _first_frame(path: str, start: float, end: float) -> bytes:
    with open_video(Source(path, path, start, end)) as video:
        first = next(video.frames, None)
        if first is None:
            raise MediaError(f"no frame between {start:g} and {end:g} s")
        file = io.BytesIO()
        Image.fromarray(resize(first.image(), FRAME_EDGE)).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def clip(path: str, start: float, end: float, seconds: float) -> bytes:
    """The frames from `start` to `end`, at most `seconds` long, as a small H.264 MP4. Raises MediaError."""
    source = Source(path, path, start, min(end, start + seconds))
    with tempfile.TemporaryDirectory() as folder, open_video(source, threads=0) as video:
        file = Path(folder) / "clip.mp4"
        if not write_video(
            ((each.pts_seconds, resize(each.image(), CLIP_EDGE)) for each in video.frames), video.fps, file
        ):
            raise MediaError(f"no frame between {source.start:g} and {source.end:g} s")
        return file.read_bytes()
