"""Decode the video track of a container with FFmpeg's libraries (PyAV), on the file's own time line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any, Literal

import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from torch_zoo.utils.media.tracks import (
    NEW_CLOCK_SECONDS,
    PICTURES_ASIDE,
    check_length,
    format_name,
    play_start,
    select,
    stated_end,
)
from torch_zoo.utils.types import MediaError

Colours = Literal["tagged", "bt601"]

# Containers with exact time stamps and an index of their key frames.
SEEK_EXACTLY = {"mov", "matroska"}
SEEK_BACK_SECONDS = (0, 2, 20)  # by how much earlier to enter, until a key frame is found in time


class Picture:
    """A decoded picture, converted when it is first asked for."""

    __slots__ = ("_converter", "_decoded", "_image")

    def __init__(self, decoded: VideoFrame, converter: Converter) -> None:
        self._decoded = decoded
        self._converter = converter
        self._image: np.ndarray | None = None

    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, upright."""
        if self._image is None:
            self._image = self._converter.rgb(self._decoded)
            del self._decoded  # it goes back to the decoder's pool
        return self._image


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture in its place."""

    time: Fraction  # since the file starts to play, s
    duration: Fraction  # s
    picture: Picture


class Converter:
    """To RGB as OpenCV does it: swscale's fast bicubic path, quarter turns applied, all in the size of `first`."""

    def __init__(self, first: VideoFrame, colours: Colours) -> None:
        self._size = {"width": first.width, "height": first.height}
        self._matrix = Colorspace.ITU601 if colours == "bt601" else None
        self._turns = first.rotation // 90 % 4 if first.rotation % 90 == 0 else 0
        self._reformatter = VideoReformatter()

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height."""
        width, height = self._size["width"], self._size["height"]
        return (height, width) if self._turns % 2 else (width, height)

    def rgb(self, frame: VideoFrame) -> np.ndarray:
        try:
            converted = self._reformatter.reformat(
                frame,
                **self._size,
                format="rgb24",
                interpolation=Interpolation.BICUBIC,
                src_colorspace=self._matrix,
                threads=1,
            )
        except (FFmpegError, ValueError) as error:
            raise MediaError(f"its pictures ({frame.format.name}) can't be converted to RGB ({error})") from error
        return np.ascontiguousarray(np.rot90(converted.to_ndarray(), self._turns))


class Track:
    """The video track of an open container. Raises MediaError, also later."""

    def __init__(self, container: Any, threads: int = 1, origin: Fraction | None = None) -> None:
        self._container = container
        self._format = format_name(container)
        self._origin = play_start(container) if origin is None else origin
        self.stream = _choose(container)
        self._rate = Fraction(self.stream.average_rate or self.stream.guessed_rate or 0)
        self.stream.codec_context.thread_count = threads
        self.stream.thread_type = "AUTO"
        select(container, self.stream)
        self.packets: Iterator[Packet[Any]] = container.demux(self.stream)

    @property
    def fps(self) -> float:
        """Frames a second, as OpenCV states it."""
        return float(self._rate)

    def open(self, start: float, colours: Colours) -> tuple[tuple[int, int], Iterator[Shown]]:
        """Width and height, and the pictures from the one at `start` s on, or from an earlier one."""
        frames = self._frames_from(start)
        first = next(frames, None)
        if first is None:
            check_length(self._container, self.stream, 0.0)
            raise MediaError("its video track holds no picture")
        converter = Converter(first[1], colours)
        return converter.upright_size, self._shown(chain([first], frames), converter)

    def _frames_from(self, start: float) -> Iterator[tuple[Fraction, VideoFrame]]:
        if self._format not in SEEK_EXACTLY or start <= 0:
            return self._frames()
        for back in SEEK_BACK_SECONDS:
            if start <= back:
                break
            self._seek(self._origin + Fraction(start) - back)
            frames = self._frames()
            # what comes before a key frame may refer to what was not decoded
            first = next((timed for timed in frames if timed[1].key_frame), None)
            if first is not None and first[0] <= start:
                return chain([first], frames)
        self._seek(min(self._origin, Fraction(0)))
        return self._frames()

    def _seek(self, seconds: Fraction) -> None:
        self._container.seek(int(seconds / self.stream.time_base), stream=self.stream)
        self.packets = self._container.demux(self.stream)

    def _frames(self) -> Iterator[tuple[Fraction, VideoFrame]]:
        """Decoded frames and their times. In a transport stream a jump of the clock is taken out."""
        due, ahead = Fraction(0), Fraction(0)
        last, intact = None, False
        try:
            for packet in self.packets:
                for frame in packet.decode():
                    if frame.is_corrupt and intact:  # a recording may begin between two key frames
                        raise MediaError(f"damaged after {float(due):.2f} s of video")
                    intact = intact or not frame.is_corrupt
                    time = due if frame.pts is None else frame.pts * self.stream.time_base - self._origin - ahead
                    if self._format == "mpegts" and last is not None and not last < time < last + NEW_CLOCK_SECONDS:
                        ahead += time - due
                        time = due
                    yield time, frame
                    due, last = time + self._duration(frame), time
        except FFmpegError as error:
            raise MediaError(f"truncated or damaged after {float(due):.2f} s of video ({error.strerror})") from error

    def _shown(self, frames: Iterator[tuple[Fraction, VideoFrame]], converter: Converter) -> Iterator[Shown]:
        stated = stated_end(self._container, self.stream) if self._format == "mov" else None
        end = Fraction(0)
        for time, frame in frames:
            duration = self._duration(frame)
            if stated is not None and time < stated:
                duration = min(duration, stated - time)
            yield Shown(time, duration, Picture(frame, converter))
            end = max(end, time + duration)
        check_length(self._container, self.stream, float(end))

    def _duration(self, frame: VideoFrame) -> Fraction:
        if frame.duration:
            return Fraction(frame.duration * self.stream.time_base)
        return 1 / self._rate if self._rate else Fraction(0)


def _choose(container: Any) -> Any:
    """FFmpeg's choice among the tracks that are no cover pictures: the default one, the one with most in it."""
    tracks = [stream for stream in container.streams.video if not stream.disposition & PICTURES_ASIDE]
    if not tracks:
        kinds = " and ".join(sorted({stream.type for stream in container.streams} - {"video"})) or "nothing"
        held = "sound only" if kinds == "audio" else f"it holds {kinds}"
        raise MediaError(f"no video track ({held}); drop it from the list or choose feature_type=vggish")
    best = container.streams.best("video")
    chosen = best if best in tracks else tracks[0]
    if chosen.codec_context is None or not chosen.codec_context.width:
        raise MediaError("damaged or truncated: what is there of its video track can't be decoded")
    return chosen
