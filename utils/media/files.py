"""Check a file before any decoder opens it, for errors that users understand."""

from __future__ import annotations

import os
import stat
import struct

from torch_zoo.utils.media.opening import Media
from torch_zoo.utils.media.protocols import check_playlist
from torch_zoo.utils.storage import reason
from torch_zoo.utils.types import MediaError

HEAD_BYTES = 1 << 16
UNKNOWN_SIZE = 0x7FFF0000  # a RIFF file that states this size or more was written to a pipe


def check_readable(media: Media) -> None:
    """Raise MediaError if a file can't be opened, is not a regular file, or is shorter than its header states.

    A RIFF file (WAV, AVI) states its size, but libsndfile and FFmpeg silently accept a truncated one. FFmpeg would read
    a playlist without an end forever, and search a file of zeros for a frame until memory is exhausted.
    """
    if media.streamed:
        return
    try:
        if not media.opened:
            _check_regular(media.path)
        with media.reading() as file:
            head = file.read(HEAD_BYTES)
            if head:
                check_playlist(media.path, head)
            if head.startswith(b"#EXTM3U"):
                _check_end_of_playlist(head + file.read())
            actual = file.seek(0, os.SEEK_END) - 8
    except OSError as error:
        raise MediaError(f"cannot be opened: {reason(error)}") from error
    if not head:
        raise MediaError("the file is empty (0 bytes)")
    if not any(head):
        raise MediaError("it starts with nothing but zeros, like an unfinished download; fetch the file again")
    magic, stated = struct.unpack("<4sI", head[:8].ljust(8, b"\0"))
    if magic == b"RIFF" and actual + 1 < stated < UNKNOWN_SIZE:
        raise MediaError(f"truncated: its header states {stated} bytes, but only {actual} are present")


def _check_regular(path: str) -> None:
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise MediaError("it is a folder without media files, not a file")
    if not stat.S_ISREG(mode):  # decoders need to read it more than once
        raise MediaError("it is a pipe or a device, not a regular file; write it to a file first")


def _check_end_of_playlist(content: bytes) -> None:
    if b"#EXT-X-TARGETDURATION" in content and b"#EXT-X-ENDLIST" not in content:
        raise MediaError("it is the playlist of a live stream (no #EXT-X-ENDLIST) and has no end; record it first")
