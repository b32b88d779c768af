"""Audio of any media file as a stream of 16-bit blocks: bounded memory, exact times, errors in one line.

Time 0 is where the file starts to play: encoder priming is skipped and edit lists are honoured, an audio track that
starts after the picture is preceded by silence, and holes inside are filled with it. docs/audio.md says where that
differs from the old two-step extraction.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from utils.files import whole
from utils.media.container import TimedBlocks, open_container, to_int16
from utils.media.program import open_program
from utils.types import MediaError, Source

Decoder = Literal["auto", "pyav", "soundfile", "ffmpeg"]
BLOCK_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Audio:
    """A decoded track."""

    rate: int  # Hz
    blocks: Iterator[np.ndarray]  # (n, channels) int16, a few seconds each


@contextmanager
def open_audio(source: Source, decoder: Decoder = "auto") -> Iterator[Audio]:
    """The samples of `source` between its start and end. Raises MediaError here or while blocks are read.

    `auto` takes soundfile for .wav and .flac and PyAV (FFmpeg's libraries) for all else; `ffmpeg` is the program.
    """
    check_readable(source.path)
    if decoder == "auto":
        decoder = "soundfile" if source.path.lower().endswith((".wav", ".flac")) else "pyav"
    reader = {"soundfile": _open_sound_file, "pyav": open_container, "ffmpeg": open_program}[decoder]
    with reader(source.path, source.start) as (rate, timed):
        yield Audio(rate, _assemble(_cut(timed, rate, source), rate * BLOCK_SECONDS))


def check_readable(path: str) -> None:
    """Raise MediaError, in a person's words, where a local file can't be opened, is empty or ends too early.

    A RIFF file (WAV, AVI) states its length; libsndfile and FFmpeg take what is there without a word.
    """
    if "://" in path:
        return
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except IsADirectoryError as error:
        raise MediaError("it is a folder without media files, not a file") from error
    except OSError as error:
        raise MediaError(f"cannot be opened: {error.strerror}") from error
    if not head:
        raise MediaError("the file is empty (0 bytes)")
    magic, stated = struct.unpack("<4sI", head.ljust(8, b"\0"))
    actual = os.path.getsize(path) - 8
    if magic == b"RIFF" and actual + 1 < stated < 0x7FFF0000:  # larger: written to a pipe, length unknown
        raise MediaError(f"truncated: its header tells of {stated} bytes, {actual} are there")


def mono(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Mean of the channels, (n,) float64 in [-1, 1). (FFmpeg's own down-mix is louder by the square root of 2.)"""
    for block in blocks:
        yield block.mean(axis=1) / 32768.0


def keep_wav(blocks: Iterable[np.ndarray], rate: int, path: Path) -> Iterator[np.ndarray]:
    """Pass the blocks on and leave them in `path` as a 16-bit WAV, which appears when all are through."""
    blocks = iter(blocks)
    if (first := next(blocks, None)) is None:
        return
    with (
        whole(path) as partial,
        soundfile.SoundFile(partial, "w", rate, first.shape[1], "PCM_16", format="WAV") as file,
    ):
        for block in chain([first], blocks):
            file.write(block)
            yield block


def _cut(timed: Iterable[tuple[int, np.ndarray]], rate: int, source: Source) -> Iterator[np.ndarray]:
    """(position, block) pairs -> the blocks between the start and end of `source`."""
    first = round(source.start * rate)
    last = None if source.end is None else round(source.end * rate)
    stop = 0
    for position, block in timed:
        stop = position + len(block)
        inside = block[max(0, first - position) : None if last is None else max(0, last - position)]
        if len(inside):
            yield inside
        if last is not None and stop >= last:
            return
    if first and stop <= first:
        raise MediaError(f"the segment starts at {source.start:g} s, but the audio ends at {stop / rate:.2f} s")


def _assemble(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Join small blocks to ones of about `size` samples, all with the channels of the first."""
    parts: list[np.ndarray] = []
    gathered = 0
    for block in blocks:
        if parts and block.shape[1] != parts[0].shape[1]:
            raise MediaError(f"the number of channels changes from {parts[0].shape[1]} to {block.shape[1]} on the way")
        parts.append(block)
        gathered += len(block)
        if gathered >= size:
            yield np.concatenate(parts)
            parts, gathered = [parts[0][:0]], 0
    if gathered:
        yield np.concatenate(parts)


@contextmanager
def _open_sound_file(path: str, start: float) -> Iterator[tuple[int, TimedBlocks]]:
    try:
        with soundfile.SoundFile(path) as file:
            file.seek(min(round(start * file.samplerate), file.frames))
            yield file.samplerate, _sound_file_blocks(file)
    except soundfile.LibsndfileError as error:
        raise MediaError(f"not a sound file, or damaged ({error.error_string})") from error


def _sound_file_blocks(file: soundfile.SoundFile) -> TimedBlocks:
    dtype = "float32" if file.subtype in ("FLOAT", "DOUBLE") else "int16"
    length = file.samplerate
    while length:  # at the end an empty block tells where it is
        block = file.read(file.samplerate, dtype=dtype, always_2d=True)
        length = len(block)
        yield file.tell() - length, to_int16(block)
    if file.tell() < file.frames:
        raise MediaError(f"truncated: {file.tell()} of {file.frames} samples could be read")
