"""Media for the benchmarks, made from the sample clips: 10 s clips (H.264, AAC stereo 44.1 kHz) and long files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.media.ffmpeg_cli import ffmpeg_program

SAMPLES = Path(__file__).parents[1] / "sample"
CLIP_SECONDS = 10
DIFFERENT_CLIPS = 12  # the others are hard links to these


def clips(folder: Path, number: int) -> list[Path]:
    """`number` clips of 10 s."""
    originals = [_clip(folder, index) for index in range(min(number, DIFFERENT_CLIPS))]
    paths = []
    for index in range(number):
        path = folder / f"clip_{index:05d}.mp4"
        if not path.exists():
            os.link(originals[index % len(originals)], path)
        paths.append(path)
    return paths


def long_file(folder: Path, seconds: int) -> Path:
    """One file of this length: a clip repeated without re-encoding."""
    path = folder / f"long_{seconds}s.mp4"
    if not path.exists():
        with atomic_write(path) as partial:
            _ffmpeg("-stream_loop", "-1", "-i", _clip(folder, 0), "-t", seconds, "-c", "copy", "-f", "mp4", partial)
    return path


def sounds(folder: Path) -> dict[str, Path]:
    """The sound of a clip in other containers and codecs."""
    kinds: dict[str, tuple[str, tuple[object, ...]]] = {
        "AAC, mono, 48 kHz": ("m4a", ("-c:a", "aac", "-ac", 1, "-ar", 48_000)),
        "MP3, stereo, 44.1 kHz": ("mp3", ("-c:a", "libmp3lame")),
        "WAV, stereo, 44.1 kHz": ("wav", ("-c:a", "pcm_s16le")),
    }
    return {
        name: _made(folder / f"sound.{suffix}", "-i", _clip(folder, 0), "-vn", *codec)
        for name, (suffix, codec) in kinds.items()
    }


def videos(folder: Path) -> dict[str, Path]:
    """Two seconds of a clip in H.264 in other sizes, without sound."""
    return {
        f"H.264, {width} x {height}": _made(
            folder / f"video_{height}.mp4",
            *("-i", _clip(folder, 0), "-t", 2, "-an", "-vf", f"scale={width}:{height}"),
            *("-c:v", "libx264", "-preset", "veryfast"),
        )
        for width, height in ((320, 240), (1280, 720))
    }


def _made(path: Path, *arguments: object) -> Path:
    """What the ffmpeg program makes, unless it is there."""
    if not path.exists():
        _ffmpeg(*arguments, path)
    return path


def _clip(folder: Path, index: int) -> Path:
    path = folder / f"original_{index:02d}.mp4"
    if not path.exists():
        source = SAMPLES / ("music.mp4", "speech.mp4")[index % 2]
        offset = 0.7 * index
        with atomic_write(path) as partial:
            _ffmpeg(
                *("-stream_loop", "-1", "-ss", offset, "-i", source, "-t", CLIP_SECONDS),
                *(
                    "-c:v",
                    "libx264",
                    "-preset",
                    "veryfast",
                    "-c:a",
                    "aac",
                    "-ac",
                    2,
                    "-ar",
                    44_100,
                    "-f",
                    "mp4",
                    partial,
                ),
            )
    return path


def _ffmpeg(*arguments: object) -> None:
    subprocess.run([ffmpeg_program(), "-v", "error", "-y", *map(str, arguments)], check=True)
