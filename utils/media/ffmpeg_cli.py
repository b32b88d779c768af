"""Decode with the ffmpeg program, for files that PyAV's build of its libraries can't open."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import IO, Any

from torch_zoo.utils.media.audio_stream import AudioBlocks, TimedBlocks, check_end, is_float, open_container
from torch_zoo.utils.media.opening import Media
from torch_zoo.utils.media.protocols import confine
from torch_zoo.utils.media.streams import location
from torch_zoo.utils.processes import end_with_parent
from torch_zoo.utils.types import MediaError

FORMAT = re.compile(r" D[ d]+ (\S+) ")  # a line of `ffmpeg -demuxers`
EXIT_SECONDS = 2.0  # for the program to exit and report its error after closing its output


@dataclass(frozen=True, slots=True)
class Program:
    """A running ffmpeg process."""

    stdout: IO[bytes]
    process: subprocess.Popen[bytes]

    def check_exit(self) -> None:
        """Wait for it to exit; raise MediaError if it failed. Call this after reading all of its output."""
        if self.process.wait() != 0:
            raise MediaError("ffmpeg failed")


@contextmanager
def open_program(media: Media, start: float = 0.0) -> Iterator[AudioBlocks]:
    """The default audio stream, always from its start. Raises MediaError, here or while reading.

    (In a transport stream whose audio starts after the video, ffmpeg's time 0 is the start of the audio.)
    """

    fill_gaps = "aresample=async=1:first_pts=0"  # with silence, also before a late start
    codec = "pcm_f32be" if is_float(media.location) else "pcm_s16be"  # 16 bits would hide NaN
    options = {"format": "au", "acodec": codec, "af": fill_gaps, "loglevel": "error"}
    output = program_input(media).output("pipe:", **options, vn=None, xerror=None)
    with (
        running(output) as process,
        open_container(process.stdout, container_format="au") as read,
    ):
        yield replace(read, blocks=_until_exit(media, read.rate, read.blocks, process))


@contextmanager
def running(output: Any) -> Iterator[Program]:
    """Run ffmpeg for `output` of ffmpeg-python, written to its standard output; kill it when the block ends.

    A MediaError from the block is raised with the program's error message, if there is one.
    """
    import ffmpeg

    command = ffmpeg.compile(output, cmd=ffmpeg_program())
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            preexec_fn=partial(end_with_parent, os.getpid()),  # also where this process is killed
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield Program(process.stdout, process)
        except MediaError as error:
            said = _first_error(process, errors)
            if process.returncode is not None and process.returncode < 0:
                killed = f"ffmpeg was killed by {signal.Signals(-process.returncode).name}"
                raise MediaError(killed) from ChildProcessError(killed)
            if not said:
                raise
            raise _failure(said) from (MemoryError(said) if os.strerror(errno.ENOMEM) in said else error)
        finally:
            process.kill()


def program_input(media: Media) -> Any:
    """The input of ffmpeg-python for a medium, which may open nothing but itself (`protocols.allow` aside)."""
    import ffmpeg

    return ffmpeg.input(os.fsencode(location(media.path)), **confine(media.path, _formats(ffmpeg_program())))


@lru_cache(maxsize=1)
def _formats(program: str) -> tuple[str, ...]:
    """The names of the formats that it reads."""
    listed = subprocess.run([program, "-hide_banner", "-demuxers"], capture_output=True, text=True, check=True).stdout
    return tuple(name for line in listed.splitlines() if (found := FORMAT.match(line)) for name in found[1].split(","))


def ffmpeg_program() -> str:
    """The ffmpeg on the PATH, or else the one bundled with imageio-ffmpeg."""
    if found := shutil.which("ffmpeg"):
        return found
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def _until_exit(media: Media, rate: int, blocks: TimedBlocks, process: Program) -> TimedBlocks:
    stop = 0
    for position, block in blocks:
        yield position, block
        stop = position + block.shape[1]
    process.check_exit()
    check_end(media.location, stop / rate)  # the program silently accepts truncated files


def _first_error(process: subprocess.Popen[bytes], errors: IO[bytes]) -> str:
    """The first line of what ffmpeg says is wrong, without its module names; empty if it says nothing."""
    with suppress(subprocess.TimeoutExpired):  # it has not failed if it is still waiting for its output to be read
        process.wait(timeout=EXIT_SECONDS)
    errors.seek(0)
    first, _, _ = errors.read().decode(errors="replace").strip().partition("\n")
    return re.sub(r"^(\[[^]]*\] )+", "", first.rstrip())


def _failure(said: str) -> MediaError:
    if "does not contain any stream" in said:
        return MediaError("no audio stream; drop it from the list or choose a visual feature_type")
    return MediaError(f"ffmpeg: {said}")
