"""Resample a video with FFmpeg's fps filter and re-encode it to H.264, as the published extractions did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.packet import Packet

from torch_zoo.utils.media.ffmpeg_cli import Program, program_input, running
from torch_zoo.utils.media.kept_files import MARK, keep_file
from torch_zoo.utils.media.lengths import TOLERANCE_SECONDS, check_length
from torch_zoo.utils.media.opening import Media
from torch_zoo.utils.media.streams import open_file
from torch_zoo.utils.media.video_stream import VideoStream
from torch_zoo.utils.types import MediaError, Source

Packets = Iterator["Packet[Any]"]


@contextmanager
def reencoded(media: Media, source: Source, fps: Fraction, threads: int, keep: Path | None) -> Iterator[VideoStream]:
    """The re-encoded stream of `source`, from the start of the file to the end of the source, while ffmpeg runs.

    It comes through a pipe instead of an .mp4, so nothing is left on disk if this process is killed.
    """

    with open_file(media.location) as container:
        original = VideoStream(container).stream
        filtered = program_input(media)[str(original.index)].filter("fps", fps=f"{fps}")
        options = {"format": "nut", "vcodec": "libx264", "avoid_negative_ts": "disabled", "loglevel": "error"}
        if source.end is not None:
            options["t"] = str(source.end)

        def length(last: Fraction) -> None:
            reached = float(last + 1 / fps)
            if source.end is None or reached < source.end - TOLERANCE_SECONDS:
                check_length(container, original, reached)

        with running(filtered.output("pipe:", **options)) as program, open_file(program.stdout, "nut") as made:
            stream = VideoStream(made, threads, origin=Fraction(0))
            stream.packets = _until_exit(stream.packets, program, length)
            if keep is not None:
                stream.packets = _keep(stream.packets, stream.stream, keep, source.path)
            yield stream


def _until_exit(packets: Packets, program: Program, length: Callable[[Fraction], None]) -> Packets:
    """Pass through the packets, then call `length` with the last timestamp: ffmpeg silently accepts damaged files."""
    last = Fraction(0)
    try:
        for packet in packets:
            if packet.pts is not None:
                last = max(last, packet.pts * packet.time_base)
            yield packet
    except FFmpegError as error:
        raise MediaError(f"truncated or damaged after {float(last):.2f} s of video ({error.strerror})") from error
    program.check_exit()
    length(last)


def _keep(packets: Packets, stream: Any, path: Path, source: str) -> Packets:
    """Pass through the packets, and save them to an .mp4 once all are read."""
    with keep_file(path, source) as partial, av.open(str(partial), "w", format="mp4") as file:
        file.metadata["comment"] = MARK
        copy = file.add_stream_from_template(stream)
        waiting: list[Any] = []
        for packet in packets:
            yield packet
            if packet.size:  # otherwise it is the flush packet at the end
                waiting.append(packet)
            before_zero = packet.size and packet.dts is None  # a dts before zero, which the NUT stream does not state
            if before_zero or not waiting:
                continue
            first = min(one.pts for one in waiting) if packet.dts is None else packet.dts
            for earlier, one in zip(range(len(waiting) - 1, -1, -1), waiting, strict=True):
                one.dts, one.stream = first - earlier * one.duration, copy
                file.mux(one)
            waiting = []
