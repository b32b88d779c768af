"""Decode the audio stream of a container with FFmpeg's libraries (PyAV), on the file's timeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any

import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.error import FFmpegError

from torch_zoo.utils.heartbeat import beat
from torch_zoo.utils.media.headers import Header
from torch_zoo.utils.media.lengths import check_jump, check_length, stated_end
from torch_zoo.utils.media.streams import (
    CLOCK_RESTARTS,
    NEW_CLOCK_SECONDS,
    NoStreamError,
    format_name,
    open_file,
    opened,
    packets,
    play_start,
    select,
)
from torch_zoo.utils.types import MediaError

TimedBlocks = Iterator[tuple[int, np.ndarray]]  # position in samples since playback starts, (channels, n) PCM

GAP_SECONDS = 0.1  # a larger jump of the timestamps is a gap in the recording; a smaller one is jitter
PREROLL_SECONDS = 1.0  # decoded and discarded after a seek, until overlapping frames are complete (noise that AAC
# substitutes is drawn again)

# Containers with an exact timestamp on each packet, so that the position after a seek is known.
SEEK_EXACTLY = {"mov", "flac", "wav"}

CHAINED = {"ogg"}  # files of this format may be appended to each other, each with a clock of its own
CHECKSUMMED = {"flac", "tta", "wavpack"}  # codecs with a checksum per frame, which FFmpeg does not check by default


@dataclass(frozen=True, slots=True)
class AudioBlocks:
    """An audio stream that is being read."""

    rate: int  # Hz
    blocks: TimedBlocks
    header: Header


@contextmanager
def open_container(
    path: str | IO[bytes], start: float = 0.0, container_format: str | None = None
) -> Iterator[AudioBlocks]:
    """The best audio stream, from `start` s or earlier. Raises MediaError, here or while reading."""
    with open_file(path, container_format) as container:
        yield _AudioStream(container).open(start)


def check_end(path: str | IO[bytes], end: float) -> None:
    """Raise MediaError if the container at `path` announces audio after `end` s."""
    with suppress(FFmpegError), opened(path) as container:
        _AudioStream(container).check_end(end)


def is_float(path: str | IO[bytes]) -> bool:
    """Does its audio decode to floating point? False if its container can't be opened here."""
    with suppress(FFmpegError), opened(path) as container:
        stream = container.streams.best("audio")
        return bool(stream and stream.codec_context and stream.codec_context.format.name.startswith(("flt", "dbl")))
    return False


class _AudioStream:
    def __init__(self, container: Any) -> None:
        self._container = container
        self._format = format_name(container)
        self._stream = container.streams.best("audio")
        if self._stream is None or self._stream.codec_context is None:
            if container.streams.audio:
                raise MediaError("damaged or truncated: its audio stream can't be decoded")
            kinds = " and ".join(sorted({stream.type for stream in container.streams}))
            held = f"{kinds} only" if kinds else "the container is empty"
            raise NoStreamError(f"no audio stream ({held}); drop it from the list or choose a visual feature_type")
        if self._stream.codec_context.name in CHECKSUMMED:
            self._stream.codec_context.options = {"err_detect": "crccheck+explode"}
        select(container, self._stream)

    def open(self, start: float) -> AudioBlocks:
        stream, header = self._stream, Header.of(self._container, self._stream)
        exact = self._format in SEEK_EXACTLY and stream.time_base * stream.rate == 1
        seeks = exact and PREROLL_SECONDS < start < (stated_end(self._container, stream) or 0)
        if seeks:
            target = (play_start(self._container) + start - PREROLL_SECONDS) / stream.time_base
            self._container.seek(int(target), stream=stream)
        frames = self._frames()
        first = next(frames, None)
        if first is None:
            self.check_end(0.0)
            return AudioBlocks(stream.rate, iter(()), header)
        rate = first.sample_rate  # not the stream's, which may be half of it (HE-AAC)
        return AudioBlocks(rate, self._timed(first, frames, from_zero=not seeks), header)

    def _timed(self, first: AudioFrame, others: Iterator[AudioFrame], from_zero: bool) -> TimedBlocks:
        """Blocks of a second in their places, with silence where the stream starts late or has a hole."""
        kind = rate, _, _ = _kind(first)
        origin, last = float(play_start(self._container)), self._last_pts()
        fifo = AudioFifo()  # to convert each frame by itself would cost as much as half its decoding
        filled = False
        start = stop = 0 if from_zero or first.time is None else round((first.time - origin) * rate)

        def joined() -> TimedBlocks:
            nonlocal start
            if frame := fifo.read():
                yield start, _samples(frame)[:, : stop - start]
            start = stop

        try:
            for frame in chain([first], others):
                if _kind(frame) != kind:
                    raise MediaError(_change(kind, _kind(frame)))
                time = frame.time
                hole = 0 if time is None else round((time - origin) * rate) - stop
                if hole > (GAP_SECONDS * rate if stop else 0) and not self._is_new_clock(hole / rate):
                    check_jump(self._container, self._stream, (stop + hole) / rate, hole / rate)
                    filled = True
                    yield from joined()
                    like = _samples(frame)[:, :1]
                    silence = np.full_like(like, 128 if like.dtype == np.uint8 else 0)
                    for position in range(stop, stop + hole, rate):
                        yield position, silence.repeat(min(rate, stop + hole - position), axis=1)
                    start = stop = stop + hole
                stop += frame.samples
                ends = last is not None and frame.pts is not None and frame.pts + frame.duration >= last
                frame.pts = None  # the FIFO takes timestamps without jitter, or none
                fifo.write(frame)
                if ends:
                    stop -= max(0, frame.samples - round(frame.duration * self._stream.time_base * rate))
                if ends or stop - start >= rate:
                    yield from joined()
        except MediaError:  # a segment may need no more than what comes before the damage
            yield from joined()
            raise
        yield from joined()
        self.check_end(stop / rate)
        if filled:  # silence in the wrong place lengthens the stream
            check_jump(self._container, self._stream, stop / rate)

    def _last_pts(self) -> int | None:
        """Where the stream of an mp4 ends; samples of its last frame after that are padding from the encoder."""
        stream = self._stream
        return (stream.start_time or 0) + stream.duration if self._format == "mov" and stream.duration else None

    def _frames(self) -> Iterator[AudioFrame]:
        last: float | None = None  # timestamp, s
        may_go_back = self._format in CLOCK_RESTARTS | CHAINED
        try:
            for packet in packets(self._container, self._stream):
                for frame in packet.decode():
                    beat("decoding")
                    time = frame.time
                    if time is None and self._format == "flac":  # FFmpeg's sign of a wrong checksum there
                        raise MediaError(f"damaged after {last or 0:.2f} s of audio")
                    if time is not None:
                        if last is not None and time < last - GAP_SECONDS and not may_go_back:
                            raise MediaError(f"damaged: its timestamps go back from {last:.2f} s to {time:.2f} s")
                        last = time
                    yield frame
        except FFmpegError as error:
            raise MediaError(f"truncated or damaged after {last or 0:.2f} s of audio ({error.strerror})") from error

    def _is_new_clock(self, seconds: float) -> bool:
        return self._format in CLOCK_RESTARTS and seconds > NEW_CLOCK_SECONDS

    def check_end(self, end: float) -> None:
        check_length(self._container, self._stream, end)


def _samples(frame: AudioFrame) -> np.ndarray:
    """(channels, n) PCM."""
    block = frame.to_ndarray()  # (1, n * channels) where they are interleaved
    return block if frame.format.is_planar else block.reshape(frame.samples, -1).T


def _kind(frame: AudioFrame) -> tuple[int, int, str]:
    return frame.sample_rate, frame.layout.nb_channels, frame.format.name


def _change(old: tuple[int, int, str], new: tuple[int, int, str]) -> str:
    """What differs between two kinds of frames. (A FIFO that is given fewer channels reads beyond them.)"""
    if old[0] != new[0]:
        return f"the sampling rate changes from {old[0]} to {new[0]} Hz midway"
    if old[1] != new[1]:
        return f"the number of channels changes from {old[1]} to {new[1]} midway"
    return f"the sample format changes from {old[2]} to {new[2]} midway"
