"""Decode the video stream of a container with FFmpeg's libraries (PyAV), on the file's timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import Any, Literal

import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from torch_zoo.utils.heartbeat import beat
from torch_zoo.utils.media.headers import Header
from torch_zoo.utils.media.lengths import check_jump, check_length, stated_end
from torch_zoo.utils.media.streams import (
    CLOCK_RESTARTS,
    COVER_IMAGES,
    NEW_CLOCK_SECONDS,
    NoStreamError,
    format_name,
    packets,
    play_start,
    select,
)
from torch_zoo.utils.types import MediaError

ColorMatrix = Literal["tagged", "bt601"]
Transform = Callable[[np.ndarray], np.ndarray]  # an RGB image (H, W, 3) uint8 -> another

# Containers with exact timestamps and an index of their key frames.
SEEK_EXACTLY = {"mov", "matroska"}
MAX_PIXELS = 8192 * 8192  # per frame; 200 MB as RGB
LONG_SECONDS = 1.0  # a frame that ends this much later than the previous one may have a damaged timestamp
SEEK_BACK_SECONDS = (0, 2, 20)  # how far before the start to seek, until a key frame is found in time


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A video frame with its presentation timestamp."""

    pts: Fraction  # s since playback starts
    duration: Fraction  # s
    image: Callable[[], np.ndarray] = field(repr=False)  # (H, W, 3) uint8 RGB, upright; converted on the first call

    @property
    def pts_seconds(self) -> float:
        return float(self.pts)


class _LazyImage:
    """The image of a decoded frame, converted on the first call; skipped frames are never converted."""

    __slots__ = ("_convert", "_decoded", "_image")

    def __init__(self, decoded: VideoFrame, convert: Callable[[VideoFrame], np.ndarray]) -> None:
        self._decoded = decoded
        self._convert = convert
        self._image: np.ndarray | None = None

    def __call__(self) -> np.ndarray:
        if self._image is None:
            self._image = self._convert(self._decoded)
            del self._decoded  # returns to the decoder's pool
        return self._image


class Converter:
    """Convert frames to RGB as OpenCV does: swscale's fast bicubic path, rotated upright, in the size of `first`."""

    def __init__(self, first: VideoFrame, color_matrix: ColorMatrix) -> None:
        self._size = {"width": first.width, "height": first.height}
        self._matrix = Colorspace.ITU601 if color_matrix == "bt601" else None
        self._turns = first.rotation // 90 % 4 if first.rotation % 90 == 0 else 0
        self._reformatter = VideoReformatter()

    def rgb(self, frame: VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8, upright. Raises MediaError."""
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
            raise MediaError(f"its frames ({frame.format.name}) can't be converted to RGB ({error})") from error
        return np.ascontiguousarray(np.rot90(converted.to_ndarray(), self._turns))


class VideoStream:
    """The video stream of an open container. Raises MediaError, here or while reading."""

    def __init__(self, container: Any, threads: int = 1, origin: Fraction | None = None) -> None:
        self._container = container
        self._format = format_name(container)
        self._origin = play_start(container) if origin is None else origin
        self.stream = _choose(container)
        self._rate = Fraction(self.stream.average_rate or self.stream.guessed_rate or 0)
        self.stream.codec_context.thread_count = threads
        self.stream.thread_type = "AUTO"
        select(container, self.stream)
        self.packets: Iterator[Packet[Any]] = packets(container, self.stream)

    @property
    def fps(self) -> float:
        """Frames per second, as reported by OpenCV."""
        return float(self._rate)

    @property
    def header(self) -> Header:
        return Header.of(self._container, self.stream)

    def frames(self, start: float, color_matrix: ColorMatrix, transform: Transform | None = None) -> Iterator[Frame]:
        """Frames from the one at `start` s or an earlier one; `transform` is applied to each RGB image."""
        decoded = self._decode_from(start)
        first = next(decoded, None)
        if first is None:
            check_length(self._container, self.stream, 0.0)
            raise MediaError("its video stream has no frames")
        to_rgb = Converter(first[1], color_matrix).rgb
        convert = (lambda frame: transform(to_rgb(frame))) if transform else to_rgb
        return self._placed(chain([first], decoded), convert, Fraction(start))

    def _decode_from(self, start: float) -> Iterator[tuple[Fraction, VideoFrame]]:
        if self._format not in SEEK_EXACTLY or start <= 0:
            return self._decode()
        for back in SEEK_BACK_SECONDS:
            if start <= back:
                break
            self._seek(self._origin + Fraction(start) - back)
            frames = self._decode()
            # frames before a key frame may depend on frames that were not decoded
            first = next((timed for timed in frames if timed[1].key_frame), None)
            if first is not None and first[0] <= start:
                return chain([first], frames)
        self._seek(min(self._origin, Fraction(0)))
        return self._decode()

    def _seek(self, seconds: Fraction) -> None:
        self._container.seek(int(seconds / self.stream.time_base), stream=self.stream)
        self.packets = packets(self._container, self.stream)

    def _decode(self) -> Iterator[tuple[Fraction, VideoFrame]]:
        """Decoded frames and their times. In transport and program streams, clock discontinuities are removed."""
        due, ahead = Fraction(0), Fraction(0)
        last, intact, restarts = None, False, self._format in CLOCK_RESTARTS
        try:
            for packet in self.packets:
                for frame in packet.decode():
                    if frame.is_corrupt and intact:  # a recording may start between two key frames
                        raise MediaError(f"damaged after {float(due):.2f} s of video")
                    intact = intact or not frame.is_corrupt
                    time = due if frame.pts is None else frame.pts * self.stream.time_base - self._origin - ahead
                    if restarts and last is not None and not last < time < last + NEW_CLOCK_SECONDS:
                        ahead += time - due
                        time = due
                    beat("decoding")
                    yield time, frame
                    due, last = time + self._duration(frame), time
        except FFmpegError as error:
            raise MediaError(f"truncated or damaged after {float(due):.2f} s of video ({error.strerror})") from error

    def _placed(
        self,
        frames: Iterator[tuple[Fraction, VideoFrame]],
        convert: Callable[[VideoFrame], np.ndarray],
        start: Fraction,
    ) -> Iterator[Frame]:
        stated = stated_end(self._container, self.stream) if self._format == "mov" else None
        end = Fraction(0)
        for time, frame in frames:
            duration = self._duration(frame)
            if stated is not None and time < stated:
                duration = min(duration, stated - time)
            reached = max(end, time + duration)
            if reached > max(end, start) + LONG_SECONDS:
                self._check_jump(reached, max(end, start))
            yield Frame(time, duration, _LazyImage(frame, convert))
            end = reached
        check_length(self._container, self.stream, float(end))

    def _check_jump(self, reached: Fraction, end: Fraction) -> None:
        interval = 1 / self._rate if self._rate else 0  # the duration that FFmpeg may have assumed for a frame
        check_jump(self._container, self.stream, float(reached - interval), float(reached - end))

    def _duration(self, frame: VideoFrame) -> Fraction:
        if frame.duration:
            return Fraction(frame.duration * self.stream.time_base)
        return 1 / self._rate if self._rate else Fraction(0)


def _choose(container: Any) -> Any:
    """FFmpeg's best video stream that is not a cover image."""
    streams = [stream for stream in container.streams.video if not stream.disposition & COVER_IMAGES]
    if not streams:
        kinds = " and ".join(sorted({stream.type for stream in container.streams} - {"video"}))
        held = f"{kinds} only" if kinds else "the container is empty"
        raise NoStreamError(f"no video stream ({held}); drop it from the list or choose feature_type=vggish")
    best = container.streams.best("video")
    chosen = best if best in streams else streams[0]
    codec = chosen.codec_context
    if codec is None or not codec.width:
        raise MediaError("damaged or truncated: its video stream can't be decoded")
    if codec.width * codec.height > MAX_PIXELS:
        raise MediaError(
            f"its frames are {codec.width} x {codec.height} px; at most {MAX_PIXELS:,} px (8192 x 8192) are decoded"
        )
    codec.options = {"max_pixels": str(MAX_PIXELS)}  # also if the size changes midway
    return chosen
