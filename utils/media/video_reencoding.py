"""Another frame rate by FFmpeg's fps filter and a new H.264 encoding, as the published extractions had it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.packet import Packet

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.media.ffmpeg_cli import Program, running
from torch_zoo.utils.media.streams import TRUNCATED_SECONDS, check_length, location, open_file
from torch_zoo.utils.media.video_stream import VideoStream
from torch_zoo.utils.types import Source

Packets = Iterator["Packet[Any]"]


@contextmanager
def reencoded(source: Source, fps: Fraction, threads: int, keep: Path | None) -> Iterator[VideoStream]:
    """The track that ffmpeg makes of `source` from its beginning until its end, while it is made.

    What an .mp4 would hold comes through a pipe, so that nothing is left behind if this process is killed.
    """
    import ffmpeg

    with open_file(source.path) as container:
        original = VideoStream(container).stream
        picture = ffmpeg.input(location(source.path))[str(original.index)].filter("fps", fps=f"{fps}")
        options = {"format": "nut", "vcodec": "libx264", "avoid_negative_ts": "disabled", "loglevel": "error"}
        if source.end is not None:
            options["t"] = str(source.end)

        def length(last: Fraction) -> None:
            reached = float(last + 1 / fps)
            if source.end is None or reached < source.end - TRUNCATED_SECONDS:
                check_length(container, original, reached)

        with running(picture.output("pipe:", **options)) as program, open_file(program.stdout, "nut") as made:
            track = VideoStream(made, threads, origin=Fraction(0))
            track.packets = _until_exit(track.packets, program, length)
            if keep is not None:
                track.packets = _keep(track.packets, track.stream, keep)
            yield track


def _until_exit(packets: Packets, program: Program, length: Callable[[Fraction], None]) -> Packets:
    """The program takes what is there of a damaged file without a word; `length` is told the last time stamp."""
    last = Fraction(0)
    for packet in packets:
        if packet.pts is not None:
            last = max(last, packet.pts * packet.time_base)
        yield packet
    program.check_exit()
    length(last)


def _keep(packets: Packets, stream: Any, path: Path) -> Packets:
    """Pass the packets on and leave them in an .mp4, which appears when all are through."""
    with atomic_write(path) as partial, av.open(str(partial), "w", format="mp4") as file:
        copy = file.add_stream_from_template(stream)
        waiting: list[Any] = []
        for packet in packets:
            yield packet
            if packet.size:  # else it is the end
                waiting.append(packet)
            before_zero = packet.size and packet.dts is None  # when it is to be decoded; the pipe says nothing of it
            if before_zero or not waiting:
                continue
            first = min(one.pts for one in waiting) if packet.dts is None else packet.dts
            for earlier, one in zip(range(len(waiting) - 1, -1, -1), waiting, strict=True):
                one.dts, one.stream = first - earlier * one.duration, copy
                file.mux(one)
            waiting = []
