"""What FFmpeg may open besides the media file itself: nothing, unless the user allows protocols.

Playlists (HLS, DASH), concat scripts, data references of MOV and others name further files, which FFmpeg would open
wherever they lie: a list of clips from a stranger could read local files or contact servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import IO

from torch_zoo.utils.types import MediaError
from torch_zoo.utils.urls import is_url, protocol

# Formats whose files name others, or that read the files next to them.
REFERRING = frozenset(
    "hls applehttp dash concat imf image2 sdp sap rtsp rtp rtp_mpegts vobsub mlv dvdvideo webm_dash_manifest svg_pipe "
    "avisynth vapoursynth lavfi".split()
)
LIVE = frozenset("sdp rtsp rtp rtp_mpegts".split())  # of these, what a stream that the user names may be
PLAYLIST_STARTS = (b"#EXTM3U", b"ffconcat", b"# VobSub")
PLAYLIST_TAGS = (b"<MPD", b"<AssetMap")  # somewhere near the start of an XML document
BLANK = b"\xef\xbb\xbf \t\r\n"  # before its first tag: a byte order mark and white space

# What a protocol is made of.
LAYERS = {
    "http": ("tcp", "httpproxy"),
    "https": ("tls", "tcp", "httpproxy"),
    "mmsh": ("tcp", "http"),
    "mmst": ("tcp",),
    "rtmp": ("tcp",),
    "rtmpe": ("ffrtmpcrypt", "tcp"),
    "rtmps": ("tls", "tcp"),
    "rtmpt": ("ffrtmphttp", "http", "tcp"),
    "rtp": ("udp",),
    "rtsp": ("rtp", "udp", "tcp"),
    "rtsps": ("rtp", "udp", "tls", "tcp"),
}

PROTOCOLS = ("file", *LAYERS, "ftp", "sftp", "srt", "tcp", "tls", "udp")  # that users may allow

_allowed: tuple[str, ...] = ()


def allow(protocols: Sequence[str]) -> None:
    """Let the media that this process opens refer to others by these protocols (file, https, ...)."""
    global _allowed
    _allowed = tuple(protocols)


def check_playlist(path: str, head: bytes = b"") -> None:
    """Raise MediaError if this is a playlist, by its first bytes or, without any, because of its name."""
    is_document = head.lstrip(BLANK).startswith(b"<") and any(tag in head for tag in PLAYLIST_TAGS)
    is_playlist = not head or head.startswith(PLAYLIST_STARTS) or is_document
    if is_playlist and not _allowed:
        name = protocol(path) if is_url(path) else "file"
        raise MediaError(f"it is a playlist, which names other files; allow_protocols=[{name}] lets FFmpeg open them")


def confine(location: str | IO[bytes], formats: Iterable[str]) -> dict[str, str]:
    """FFmpeg's options for opening a medium, of all the formats that it could be."""
    own = protocol(location) if isinstance(location, str) and is_url(location) else "file"
    names = ["data", *([own] if isinstance(location, str) else []), *(("crypto", *_allowed) if _allowed else ())]
    layers = [layer for name in names for layer in LAYERS.get(name, ())]
    options = {"protocol_whitelist": ",".join(dict.fromkeys([*names, *layers]))}
    if not _allowed:
        refused = REFERRING if own == "file" else REFERRING - LIVE
        options["format_whitelist"] = _without(frozenset(formats), refused)
    return options


@lru_cache(maxsize=8)
def _without(formats: frozenset[str], refused: frozenset[str]) -> str:
    return ",".join(sorted(formats - refused))
