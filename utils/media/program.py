"""Decode with the ffmpeg program, for what its libraries in PyAV can't open."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from utils.media.container import TimedBlocks, check_end, location, open_container
from utils.types import MediaError


@contextmanager
def open_program(path: str, start: float = 0.0) -> Iterator[tuple[int, TimedBlocks]]:
    """Sampling rate and blocks of the default audio track, always from its beginning. Raises MediaError, also later.

    (In a transport stream whose sound starts after the picture, ffmpeg starts the clock with the sound.)
    """
    import ffmpeg

    into_holes = "aresample=async=1:first_pts=0"  # silence, also before a late start
    options = {"format": "au", "acodec": "pcm_s16be", "af": into_holes, "loglevel": "error"}
    output = ffmpeg.input(location(path)).output("pipe:", **options, vn=None, xerror=None)
    command = ffmpeg.compile(output, cmd=ffmpeg_program())
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        try:
            with open_container(process.stdout, container_format="au") as (rate, blocks):
                yield rate, _until_exit(path, rate, blocks, process)
        except MediaError as error:
            raise _failure(process, errors, error) from error
        finally:
            process.kill()


def ffmpeg_program() -> str:
    """The ffmpeg on the PATH, else the one that imageio-ffmpeg carries."""
    if found := shutil.which("ffmpeg"):
        return found
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def _until_exit(path: str, rate: int, blocks: TimedBlocks, process: subprocess.Popen[bytes]) -> TimedBlocks:
    stop = 0
    for position, block in blocks:
        yield position, block
        stop = position + block.shape[1]
    if process.wait() != 0:
        raise MediaError("ffmpeg failed")
    check_end(path, stop / rate)  # the program takes what is there without a word


def _failure(process: subprocess.Popen[bytes], errors: IO[bytes], error: MediaError) -> MediaError:
    """`error`, in ffmpeg's own words where it said any (the first line; the module names before it are noise)."""
    process.wait()
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    if not lines:
        return error
    if "does not contain any stream" in lines[0]:
        return MediaError("no audio track; drop it from the list or choose a visual feature_type")
    return MediaError("ffmpeg: " + re.sub(r"^(\[[^]]*\] )+", "", lines[0]))
