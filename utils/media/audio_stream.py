"""Decode the audio stream of a container with FFmpeg's libraries (PyAV), on the file's timeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import IO, Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.error import FFmpegError

from torch_zoo.utils.heartbeat import beat
from torch_zoo.utils.media.lengths import check_jump, check_length, stated_end
from torch_zoo.utils.media.streams import NEW_CLOCK_SECONDS, format_name, location, open_file, play_start, select
from torch_zoo.utils.types import MediaError

TimedBlocks = Iterator[tuple[int, np.ndarray]]  # position in samples since playback starts, (channels, n) PCM

GAP_SECONDS = 0.1  # a larger jump of the timestamps is a gap in the recording; a smaller one is jitter
PREROLL_SECONDS = 1.0  # decoded and discarded after a seek, until overlapping frames are complete (noise that AAC
# substitutes is drawn again)

# Containers with an exact timestamp on each packet, so that the position after a seek is known.
SEEK_EXACTLY = {"mov", "flac", "wav"}


@contextmanager
def open_container(
    path: str | IO[bytes], start: float = 0.0, container_format: str | None = None
) -> Iterator[tuple[int, TimedBlocks]]:
    """Rate and blocks of the best audio stream, from `start` s or earlier. Raises MediaError, here or while reading."""
    with open_file(path, container_format) as container:
        yield _AudioStream(container).open(start)


def check_end(path: str, end: float) -> None:
    """Raise MediaError if the container at `path` announces audio after `end` s."""
    with suppress(FFmpegError), av.open(location(path), metadata_errors="ignore") as container:
        _AudioStream(container).check_end(end)


class _AudioStream:
    def __init__(self, container: Any) -> None:
        self._container = container
        self._format = format_name(container)
        self._stream = container.streams.best("audio")
        if self._stream is None:
            if container.streams.audio:
                raise MediaError("damaged or truncated: its audio stream can't be decoded")
            kinds = " and ".join(sorted({stream.type for stream in container.streams}))
            held = f"{kinds} only" if kinds else "the container is empty"
            raise MediaError(f"no audio stream ({held}); drop it from the list or choose a visual feature_type")
        select(container, self._stream)

    def open(self, start: float) -> tuple[int, TimedBlocks]:
        stream = self._stream
        exact = self._format in SEEK_EXACTLY and stream.time_base * stream.rate == 1
        seeks = exact and PREROLL_SECONDS < start < (stated_end(self._container, stream) or 0)
        if seeks:
            target = (play_start(self._container) + start - PREROLL_SECONDS) / stream.time_base
            self._container.seek(int(target), stream=stream)
        frames = self._frames()
        first = next(frames, None)
        if first is None:
            self.check_end(0.0)
            return self._stream.rate, iter(())
        rate = first.sample_rate  # the rate of the stream may be half of it (HE-AAC)
        return rate, self._timed(chain([first], frames), rate, from_zero=not seeks)

    def _timed(self, frames: Iterator[AudioFrame], rate: int, from_zero: bool) -> TimedBlocks:
        """Blocks with their positions, and silence where the stream starts late or has a gap."""
        origin, last = play_start(self._container), self._last_pts()
        stop = 0 if from_zero else None  # end of the previous block
        filled = False
        for frame in frames:
            if frame.sample_rate != rate:
                raise MediaError(f"the sampling rate changes from {rate} to {frame.sample_rate} Hz midway")
            time = frame.time
            due = stop or 0 if time is None else round((time - origin) * rate)
            if stop is None:
                stop = due
            block = frame.to_ndarray()  # (channels, n), or (1, n * channels) where they are interleaved
            if not frame.format.is_planar:
                block = block.reshape(frame.samples, -1).T
            if last is not None and frame.pts is not None and frame.pts + frame.duration >= last:
                block = block[:, : round(frame.duration * self._stream.time_base * rate)]
            gap = due - stop
            if gap > (GAP_SECONDS * rate if stop else 0) and not self._is_new_clock(gap / rate):
                check_jump(self._container, self._stream, due / rate, gap / rate)
                filled = True
                for position in range(stop, due, rate):
                    yield position, np.zeros((len(block), min(rate, due - position)), block.dtype)
                stop = due
            yield stop, block
            stop += block.shape[1]
        self.check_end((stop or 0) / rate)
        if filled:  # silence in the wrong place lengthens the stream
            check_jump(self._container, self._stream, (stop or 0) / rate)

    def _last_pts(self) -> int | None:
        """Where the stream of an mp4 ends; samples of its last frame after that are padding from the encoder."""
        stream = self._stream
        return (stream.start_time or 0) + stream.duration if self._format == "mov" and stream.duration else None

    def _frames(self) -> Iterator[AudioFrame]:
        seconds = 0.0
        try:
            for frame in self._container.decode(self._stream):
                beat()
                yield frame
                seconds = frame.time or seconds
        except FFmpegError as error:
            raise MediaError(f"truncated or damaged after {seconds:.2f} s of audio ({error.strerror})") from error

    def _is_new_clock(self, seconds: float) -> bool:
        return self._format == "mpegts" and seconds > NEW_CLOCK_SECONDS

    def check_end(self, end: float) -> None:
        check_length(self._container, self._stream, end)
