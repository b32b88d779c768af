"""A media file opens nothing but itself: no server sees a request, and no other file is opened."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import command
import numpy as np
import pytest
from faulty_server import Web
from media_maker import decode, write_kind, write_media
from video_maker import write_video

from torch_zoo.utils.media import protocols
from torch_zoo.utils.media.audio import Decoder, open_audio
from torch_zoo.utils.media.video import open_video
from torch_zoo.utils.types import MediaError, Source

IN_OPEN = 0x20
DECODERS: list[Decoder] = ["pyav", "ffmpeg"]

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{0}\n#EXT-X-ENDLIST\n"
MANIFEST = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"><Period><AdaptationSet
mimeType="audio/mp4"><Representation id="1" bandwidth="1" codecs="mp4a.40.2"><BaseURL>{}</BaseURL><SegmentBase/>
</Representation></AdaptationSet></Period></MPD>
"""
KINDS = {
    "hls": PLAYLIST,
    "hls key": PLAYLIST.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="{0}"\n#EXTINF'),
    "dash": MANIFEST,
    "concat": "ffconcat version 1.0\nfile '{}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {} RTP/AVP 0\n",
    "vobsub": "# VobSub index file, v7\nid: en, index: 0\ntimestamp: 00:00:01:000, filepos: 000000000\n",
}


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda name: monkeypatch.setattr(protocols, "_allowed", (name,))


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A playable file; that it was not opened is checked at the end."""
    path, *_ = write_kind(tmp_path, "mpeg2+aac.ts")
    watch = _Watch(path)
    yield path
    assert not watch.opened()


class _Watch:
    """Notices when a file is opened, by whatever process."""

    def __init__(self, path: Path) -> None:
        if sys.platform != "linux":
            pytest.skip("inotify is Linux's")
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self._descriptor, os.fsencode(path), IN_OPEN) >= 0

    def opened(self) -> bool:
        try:
            return bool(os.read(self._descriptor, 4096))
        except BlockingIOError:
            return False
        finally:
            os.close(self._descriptor)


def attempts(path: Path) -> None:
    """Try all ways in which a path is opened; each must fail."""
    for decoder in DECODERS:
        with pytest.raises(MediaError):
            decode(path, decoder)
    with pytest.raises(MediaError), open_video(Source(str(path), "x")) as video:
        list(video.frames)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("disguise", ["x", "x.mp4", "x.wav", "x.m3u8", "x.ts"])
def test_no_other_file_is_opened(kind: str, disguise: str, canary: Path) -> None:
    for name in (canary.name, str(canary), f"file:{canary}"):
        path = canary.parent / disguise
        path.write_text(KINDS[kind].format(name))
        attempts(path)


@pytest.mark.parametrize("kind", ["hls", "hls key", "dash", "concat"])
def test_no_server_is_contacted(kind: str, tmp_path: Path, web: Web) -> None:
    for name in ("x.mp4", "x.m3u8"):
        (tmp_path / name).write_text(KINDS[kind].format(web.put("x.ts", b"")))
        attempts(tmp_path / name)
    assert not web.asked


def test_a_sequence_of_images_is_not_completed_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "%d.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (tmp_path / "1.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    watch = _Watch(tmp_path / "1.jpg")
    attempts(tmp_path / "%d.jpg")
    assert not watch.opened()


def test_data_references_of_mov_are_not_followed(canary: Path) -> None:
    """The file's own bytes are decoded, or it fails."""
    mov = write_media(canary.parent / "x.mov", np.zeros((44100, 1), np.int16), 44100, "pcm_s16le")
    mov.write_bytes(referring(mov.read_bytes(), canary))
    assert b"alis" in mov.read_bytes()
    for decoder in DECODERS:
        with suppress(MediaError):
            assert not decode(mov, decoder).any()


@pytest.mark.parametrize("decoder", DECODERS)
def test_what_is_allowed_is_opened(decoder: Decoder, tmp_path: Path, web: Web, allow: Callable[[str], None]) -> None:
    path, samples, _ = write_kind(tmp_path, "mpeg2+aac.ts")
    (tmp_path / "x.m3u8").write_text(PLAYLIST.format(path.name))
    with pytest.raises(MediaError, match=r"a playlist, which names other files; allow_protocols=\[file\] lets"):
        decode(tmp_path / "x.m3u8", decoder)
    allow("file")
    assert len(decode(tmp_path / "x.m3u8", decoder)) >= len(samples)
    (tmp_path / "x.m3u8").write_text(PLAYLIST.format(web.put("x.ts", path.read_bytes())))
    with pytest.raises(MediaError):
        decode(tmp_path / "x.m3u8", decoder)
    assert not web.asked


def test_bytes_of_media_that_look_like_a_tag_are_no_playlist(tmp_path: Path) -> None:
    path = write_media(tmp_path / "x.wav", np.zeros((44100, 1), np.int16), 44100, "pcm_s16le")
    content = path.read_bytes()
    path.write_bytes(content[:1000] + b"<MPD" + content[1004:])
    assert len(decode(path)) == 44100
    path.write_bytes(b"\xef\xbb\xbf\n" + MANIFEST.format(path.name).encode())
    with pytest.raises(MediaError, match="a playlist, which names other files"):
        decode(path)


def test_the_option(tmp_path: Path) -> None:
    path, *_ = write_kind(tmp_path, "mpeg2+aac.ts")
    (tmp_path / "x.m3u8").write_text(PLAYLIST.format(path.name))
    arguments = ("feature_type=vggish", "checkpoint=random", "device=cpu", f"video_paths={tmp_path / 'x.m3u8'}")
    refused = command.run(*arguments)
    assert (refused.code, refused.stdout) == (1, "") and "allow_protocols=[file]" in refused.stderr
    assert command.run(*arguments, "allow_protocols=[file]").code == 0
    wrong = command.run(*arguments, "allow_protocols=[fiel]")
    assert wrong.code == 2 and "allow_protocols: 'fiel' is none of file, http" in wrong.stderr


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_playlist_of_a_live_stream(decoder: Decoder, tmp_path: Path, allow: Callable[[str], None]) -> None:
    allow("file")
    path, *_ = write_kind(tmp_path, "mpeg2+aac.ts")
    (tmp_path / "live.m3u8").write_text(PLAYLIST.format(path.name).replace("#EXT-X-ENDLIST\n", ""))
    with pytest.raises(MediaError, match=r"live stream \(no #EXT-X-ENDLIST\)"):
        decode(tmp_path / "live.m3u8", decoder)


def test_all_formats_that_are_no_playlists_still_open(tmp_path: Path) -> None:
    write_video(tmp_path / "x.mp4", 3)
    with open_video(Source(str(tmp_path / "x.mp4"), "x")) as video:
        assert len(list(video.frames)) == 3
    with open_audio(Source(str(write_kind(tmp_path, "mpeg2+aac.ts")[0]), "x"), "ffmpeg") as audio:
        assert sum(block.shape[1] for block in audio.blocks) >= 2 * 48000


def referring(mov: bytes, target: Path) -> bytes:
    """A MOV whose media lie in another file, by the alias record of QuickTime's file format, appendix on aliases."""
    name, path = target.name.encode(), str(target).encode()
    record = bytes(10) + bytes([1]) + b"x".ljust(27, b"\0") + bytes(12) + bytes([len(name)]) + name.ljust(63, b"\0")
    record += bytes(16) + struct.pack(">hh", 1, 1) + bytes(16)
    record += struct.pack(">hh", 2, len(path)) + path + b"\0" * (len(path) % 2) + struct.pack(">hh", -1, 0)
    entry = struct.pack(">I4sI", 12 + len(record), b"alis", 0) + record

    def rebuilt(data: bytes) -> bytes:
        out = b""
        while data:
            size, kind = struct.unpack(">I4s", data[:8])
            body = data[8:size]
            if kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
                body = rebuilt(body)
            elif kind == b"dref":
                body = struct.pack(">II", 0, 1) + entry
            out += struct.pack(">I4s", 8 + len(body), kind) + body
            data = data[size:]
        return out

    return rebuilt(mov)
