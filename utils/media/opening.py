"""The bytes of a source, wherever they are, as decoders take them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from torch_zoo.utils.media.anonymous import AnonymousFile
from torch_zoo.utils.media.fetching import fetcher
from torch_zoo.utils.media.protocols import check_playlist
from torch_zoo.utils.storage import is_url, local, reason
from torch_zoo.utils.types import MediaError, Source
from torch_zoo.utils.urls import is_web, protocol, split_url

if TYPE_CHECKING:
    from torch_zoo.utils.remote_file import RemoteObject

STREAMS = {"rtmp", "rtmpe", "rtmps", "rtmpt", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp", "mms", "mmsh", "mmst"}
PLAYLISTS = (".m3u8", ".m3u", ".mpd")  # on the web; what they name is fetched too
PLAYLIST_START = b"#EXTM3U"


@dataclass(frozen=True, slots=True)
class Media:
    """The bytes of an open source."""

    name: str  # its suffix is a hint for the format
    path: str  # for other programs: a local path, or the URL of a stream or playlist, which FFmpeg fetches itself
    opened: Callable[[], IO[bytes]] | None = None  # a new file at its start, for libraries to read instead of `path`

    @property
    def streamed(self) -> bool:
        return is_url(self.path)

    @property
    def location(self) -> str | IO[bytes]:
        """What libraries open."""
        return self.opened() if self.opened else self.path

    @property
    def size(self) -> int:
        """Bytes. Raises OSError."""
        with self.reading() as file:
            return file.seek(0, os.SEEK_END)

    def reading(self) -> IO[bytes]:
        """Raises OSError."""
        return self.opened() if self.opened else open(self.path, "rb")  # the caller closes it


def fetch_ahead(source: Source) -> None:
    """Begin to fetch the media of a source that this process will open, if they are behind a URL."""
    if is_url(source.path) and not _is_streamed(source.path):
        fetcher().ahead(source)


@contextmanager
def open_media(source: Source, *, as_file: bool = False) -> Iterator[Media]:
    """The media of a source; `as_file` if another program is to open them. Raises MediaError."""
    if not is_url(source.path):
        yield Media(source.path, local(source.path))
        return
    name = PurePosixPath(split_url(source.path)[1]).name
    if _is_streamed(source.path):
        if protocol(source.path) not in STREAMS:
            check_playlist(source.path)
        yield Media(name, source.path)
        return
    with ExitStack() as stack:
        try:
            held = stack.enter_context(fetcher().opened(source, as_file))
        except OSError as error:
            raise MediaError(reason(error)) from error
        if isinstance(held, AnonymousFile) and _is_playlist(held):
            if not is_web(source.path):
                raise MediaError("it is a playlist, which can be read from a web server or a local folder only")
            check_playlist(source.path)
            yield Media(name, source.path)
        elif isinstance(held, AnonymousFile):
            yield Media(name, held.path, partial(held.reader, name))
        else:
            yield from _by_ranges(held, name)


def _by_ranges(held: RemoteObject, name: str) -> Iterator[Media]:
    from torch_zoo.utils.remote_file import RangeReader

    failures: list[OSError] = []

    def opened() -> IO[bytes]:
        return cast(IO[bytes], RangeReader(held, name, failures))

    try:
        yield Media(name, "", opened)
    except MediaError as error:
        if not failures:
            raise
        raise MediaError(reason(failures[0])) from error  # why the decoder failed
    if failures:
        raise MediaError(reason(failures[0]))


def _is_streamed(url: str) -> bool:
    """Does FFmpeg fetch it itself?"""
    return protocol(url) in STREAMS or (is_web(url) and split_url(url)[1].lower().endswith(PLAYLISTS))


def _is_playlist(file: AnonymousFile) -> bool:
    with open(file.path, "rb") as opened:
        return opened.read(len(PLAYLIST_START)) == PLAYLIST_START
