"""What is asked of a local file before any decoder opens it, in messages that people understand."""

from __future__ import annotations

import os
import stat
import struct

from torch_zoo.utils.types import MediaError

HEAD_BYTES = 1 << 16
UNKNOWN_SIZE = 0x7FFF0000  # a RIFF header that states this or more was written to a pipe


def check_readable(path: str) -> None:
    """Raise MediaError where a local file can't be opened, is no regular file, or can't hold what it announces.

    A RIFF file (WAV, AVI) states its size; libsndfile and FFmpeg silently take what is there. A playlist without an
    end is read forever, and FFmpeg searches zeros for a frame until memory is full.
    """
    if "://" in path:
        return
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise MediaError("it is a folder without media files, not a file")
        if not stat.S_ISREG(status.st_mode):  # a decoder has to read it more than once
            raise MediaError("it is a pipe or a device, not a regular file; write it to a file first")
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
            if head.startswith(b"#EXTM3U"):
                _check_playlist(head + file.read())
    except OSError as error:
        raise MediaError(f"cannot be opened: {error.strerror}") from error
    if not head:
        raise MediaError("the file is empty (0 bytes)")
    if not any(head):
        raise MediaError("it begins with nothing but zeros, as an unfinished download does; fetch the file again")
    magic, stated = struct.unpack("<4sI", head[:8].ljust(8, b"\0"))
    actual = status.st_size - 8
    if magic == b"RIFF" and actual + 1 < stated < UNKNOWN_SIZE:
        raise MediaError(f"truncated: its header announces {stated} bytes, {actual} are there")


def _check_playlist(content: bytes) -> None:
    if b"#EXT-X-TARGETDURATION" in content and b"#EXT-X-ENDLIST" not in content:
        raise MediaError("it is the playlist of a live stream (no #EXT-X-ENDLIST), which has no end; record it first")
