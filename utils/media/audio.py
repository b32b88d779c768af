"""Decode the audio of any media file to 16-bit blocks, with bounded memory and exact times.

Time 0 is where playback starts: encoder priming is skipped, edit lists are honored, an audio stream that starts after
the video is preceded by silence, and gaps are filled with silence. docs/audio.md lists the differences from extraction
in two steps (ffmpeg to WAV, then features).
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from torch_zoo.utils.media.audio_stream import AudioBlocks, TimedBlocks, open_container
from torch_zoo.utils.media.ffmpeg_cli import open_program
from torch_zoo.utils.media.files import check_readable
from torch_zoo.utils.media.headers import Header, Probe
from torch_zoo.utils.media.kept_files import MARK, keep_file
from torch_zoo.utils.media.lengths import announce
from torch_zoo.utils.media.opening import Media, open_media
from torch_zoo.utils.types import MediaError, Source

Decoder = Literal["auto", "pyav", "soundfile", "ffmpeg"]
BLOCK_SECONDS = 5
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000  # Hz

# The WAV variants to decode with libsndfile, which is nine times as fast there; FFmpeg decodes the rest.
SOUND_FILE_FORMATS = {"WAV", "WAVEX", "RF64"}
SOUND_FILE_CODECS = {"PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
UNKNOWN_FRAMES = (1 << 63) - 1  # libsndfile's frame count for a FLAC that was written to a pipe
OVERFLOW = 65536.0  # times full scale, or 96 dB above it
HEADER_BYTES = 4096  # larger than the header of a WAV without samples


@dataclass(frozen=True, slots=True)
class Audio:
    """An audio stream being decoded."""

    rate: int  # Hz
    blocks: Iterator[np.ndarray]  # (channels, n) int16, a few seconds each
    header: Header

    def probe(self, source: Source, num_rows: Callable[[int], int], exact: bool = True) -> Probe:
        """What to expect of `source`; `num_rows` makes rows of a number of samples. Raises MediaError."""
        return self.header.probe(source, self.rate, round, num_rows, exact)


@contextmanager
def open_audio(source: Source, decoder: Decoder = "auto") -> Iterator[Audio]:
    """The samples of `source` between its start and end. Raises MediaError here or while blocks are read.

    `auto` uses soundfile for PCM in WAV, and PyAV (FFmpeg's libraries) otherwise; `ffmpeg` is the program.
    """
    with open_media(source, as_file=decoder == "ffmpeg") as media, _read(media, source.start, decoder) as read:
        rate = read.rate
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise MediaError(f"its sampling rate is {rate} Hz; it must be from {LOWEST_RATE} to {HIGHEST_RATE} Hz")
        announce(source, read.header.end)
        yield Audio(rate, _assemble(_cut(read.blocks, rate, source), rate * BLOCK_SECONDS), read.header)


@contextmanager
def _read(media: Media, start: float, decoder: Decoder) -> Iterator[AudioBlocks]:
    check_readable(media)
    if decoder == "auto":
        decoder = "soundfile" if _suits_soundfile(media) else "pyav"
    if decoder == "ffmpeg":
        reading = open_program(media, start)
    elif decoder == "soundfile":
        reading = _open_sound_file(media, start)
    else:
        reading = open_container(media.location, start)
    with reading as read:
        yield read


def mono(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Average the channels: (n,) float64 in [-1, 1). (FFmpeg's downmix is louder by the square root of 2.)"""
    for block in blocks:
        total = np.ones(len(block), np.float32) @ block.astype(np.float32)  # exact: integers of less than 24 bits
        yield total / np.float64(32768 * len(block))


def keep_wav(blocks: Iterable[np.ndarray], rate: int, path: Path, source: str) -> Iterator[np.ndarray]:
    """Pass through the blocks of the media file `source`, and save them to `path`, a 16-bit WAV, once all are read.

    Raises OSError that names `path`: FileExistsError if it is the source, or was not kept by an earlier run.
    """
    blocks = iter(blocks)
    if (first := next(blocks, None)) is None:
        return
    with (
        keep_file(path, source) as partial,
        soundfile.SoundFile(os.fsencode(partial), "w", rate, len(first), "PCM_16", format="WAV") as file,
    ):
        file.comment = MARK
        for block in chain([first], blocks):
            file.write(block.T)
            yield block


def wav(samples: np.ndarray, rate: int) -> bytes:
    """Mono samples (n,) in [-1, 1) as a 16-bit WAV."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype="PCM_16", format="WAV")
    return file.getvalue()


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Convert PCM of any type to 16 bits as FFmpeg does: floats are rounded half to even, integers truncated.

    Raises MediaError for NaN, infinity and what FFmpeg's conversion makes the wrong sign of.
    """
    if samples.dtype == np.int16:
        return samples
    if samples.dtype.kind == "f":
        if not np.abs(samples).max(initial=0) < OVERFLOW:
            raise MediaError("the audio contains NaN or infinity, or samples beyond 65,536 times full scale")
        scaled = samples.clip(-1, 1) * 32768
        return np.rint(scaled, out=scaled).clip(None, 32767, out=scaled).astype(np.int16)
    if samples.dtype == np.uint8:
        return (samples.astype(np.int16) - 128) << 8
    return (samples >> (8 * samples.itemsize - 16)).astype(np.int16)


def _cut(timed: TimedBlocks, rate: int, source: Source) -> Iterator[np.ndarray]:
    """Trim blocks with their positions to the start and end of `source`."""
    first = round(source.start * rate)
    last = None if source.end is None else round(source.end * rate)
    stop = 0
    for position, block in timed:
        stop = position + block.shape[1]
        if position < first or (last is not None and stop > last):
            block = block[:, max(0, first - position) : None if last is None else max(0, last - position)]
        if block.shape[1]:
            yield block
        if last is not None and stop >= last:
            return
    if first and stop <= first:
        raise MediaError(f"the segment starts at {source.start:g} s, but the audio ends at {stop / rate:.2f} s")


def _assemble(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Join blocks to 16-bit ones of about `size` samples."""
    parts: list[np.ndarray] = []
    gathered = 0
    for block in blocks:
        parts.append(to_int16(block))
        gathered += block.shape[1]
        if gathered >= size:
            yield np.concatenate(parts, axis=1)
            parts, gathered = [], 0
    if parts:
        yield np.concatenate(parts, axis=1)


def _suits_soundfile(media: Media) -> bool:
    if media.streamed or not media.name.lower().endswith(".wav"):
        return False
    try:
        with _sound_file(media) as file:
            known = file.format in SOUND_FILE_FORMATS and file.subtype in SOUND_FILE_CODECS
            return known and file.frames > 0
    except soundfile.LibsndfileError:
        return False


def _sound_file(media: Media) -> soundfile.SoundFile:
    location = media.location
    return soundfile.SoundFile(os.fsencode(location) if isinstance(location, str) else location)


@contextmanager
def _open_sound_file(media: Media, start: float) -> Iterator[AudioBlocks]:
    try:
        file = _sound_file(media)
    except soundfile.LibsndfileError as error:
        raise MediaError(f"not an audio file, or damaged ({error.error_string})") from error
    with file:
        unfinished = file.frames == 0 and media.size > HEADER_BYTES
        if unfinished or file.frames == UNKNOWN_FRAMES:
            raise MediaError("its header does not state the number of samples; use decoder=pyav")
        rate = file.samplerate
        header = Header(f"{file.subtype.lower()} {rate} Hz", 0.0, file.frames / rate, exact=True)
        yield AudioBlocks(rate, _sound_file_blocks(file, min(round(start * rate), file.frames)), header)


def _sound_file_blocks(file: soundfile.SoundFile, first: int) -> TimedBlocks:
    dtype = "float32" if file.subtype in ("FLOAT", "DOUBLE") else "int16"
    length = file.samplerate
    try:
        file.seek(first)
        while length:  # the last block is empty, at the end of the file
            block = file.read(file.samplerate, dtype=dtype, always_2d=True)
            length = len(block)
            yield file.tell() - length, block.T
    except soundfile.LibsndfileError as error:
        raise MediaError(f"not an audio file, or damaged ({error.error_string})") from error
    if file.tell() < file.frames:
        raise MediaError(f"truncated: only {file.tell()} of {file.frames} samples could be read")
