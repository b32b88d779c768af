"""Truncated files, damaged timestamps, and intact files that look like either."""

from __future__ import annotations

from pathlib import Path

import pytest
from media_maker import assert_same, by_program, decode, noise_and_tone, write_media
from video_maker import decode as decode_video
from video_maker import ffmpeg

from torch_zoo.utils.types import MediaError

# Containers that state only the duration of their longest stream, or of each stream.
CODECS = {
    "x.flv": ("flv1", "libmp3lame", 44100),
    "x.webm": ("libvpx", "libopus", 48000),
    "x.mkv": ("mpeg4", "flac", 44100),
    "x.mxf": ("mpeg2video", "pcm_s16le", 48000),
}


def write(path: Path, audio_seconds: float = 4.0, video_seconds: float = 4.0) -> Path:
    video_codec, audio_codec, rate = CODECS[path.name]
    sound = write_media(path.with_name("sound.wav"), noise_and_tone(audio_seconds, rate), rate, "pcm_s16le")
    video = f"-f lavfi -i testsrc2=s=128x96:r=25:d={video_seconds} -i".split()
    ffmpeg(*video, sound, "-c:v", video_codec, "-c:a", audio_codec, "-flush_packets", 1, path)
    path.write_bytes(path.read_bytes().replace(b"DURATION", b"XURATION"))  # the lengths of Matroska's streams
    return path


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("name", CODECS)
def test_a_file_truncated_anywhere(name, share, tmp_path):
    path = write(tmp_path / name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    for read in (decode, decode_video):
        with pytest.raises(MediaError, match=r"(truncated|damaged).* of (audio|video)"):
            read(path)


@pytest.mark.parametrize(
    ("name", "audio_seconds", "video_seconds"),
    [
        *((name, 4.0, 4.0) for name in CODECS),
        *((name, *lengths) for name in ("x.flv", "x.webm", "x.mkv") for lengths in ((2.0, 4.0), (4.0, 2.0))),
    ],
)
def test_a_complete_file_even_if_one_stream_is_shorter(name, audio_seconds, video_seconds, tmp_path):
    path = write(tmp_path / name, audio_seconds, video_seconds)
    samples = decode(path)
    assert_same(samples, by_program(path))
    assert len(samples) >= audio_seconds * CODECS[name][2]
    assert len(decode_video(path)[1]) == video_seconds * 25


def flv_with_a_flipped_bit(folder: Path, bit: int, kind: int) -> Path:
    """Flip a bit in the timestamp, in ms, of the middle tag of one kind (8 audio, 9 video)."""
    path = write(folder / "x.flv")
    content = bytearray(path.read_bytes())
    at, tags = 13, []
    while at < len(content):
        if content[at] == kind:
            tags.append(at)
        at += 11 + int.from_bytes(content[at + 1 : at + 4], "big") + 4
    stamp = tags[len(tags) // 2] + 4  # low 24 bits, then the high 8
    content[stamp + (3 if bit >= 24 else 2 - bit // 8)] ^= 1 << bit % 8
    path.write_bytes(content)
    return path


def mka_with_a_flipped_bit(folder: Path, bit: int, *options: object) -> Path:
    """Flip a bit in the timestamp, in ms, of a cluster; none if `bit` is negative."""
    sound = write_media(folder / "sound.wav", noise_and_tone(4.0, 8000), 8000, "pcm_s16le")
    path = folder / "x.mka"
    ffmpeg("-i", sound, "-c:a", "flac", "-cluster_time_limit", 1000, *options, path)
    content = bytearray(path.read_bytes())
    cluster = content.index(b"\x1f\x43\xb6\x75", content.index(b"\x1f\x43\xb6\x75") + 4)
    size_and_stamp = content.index(b"\xe7", cluster + 4)
    old = content[size_and_stamp + 2 : size_and_stamp + 2 + (content[size_and_stamp + 1] & 0x7F)]
    assert int.from_bytes(old, "big") in range(900, 2100)
    if bit >= 0:
        new = (int.from_bytes(old, "big") ^ 1 << bit).to_bytes(max(len(old), 4), "big")
        content[size_and_stamp + 1 : size_and_stamp + 2 + len(old)] = bytes([0x80 | len(new)]) + new
    path.write_bytes(content)
    return path


DAMAGED = r"damaged: its timestamps reach [\d.]+ s of (audio|video), 4\.\d\d s are announced"
BACK = r"damaged: its timestamps go back from [\d.]+ s to [\d.]+ s$"


@pytest.mark.parametrize("bit", [11, 12, 18, 22, 30])
def test_a_flipped_bit_in_an_audio_timestamp(bit, tmp_path):
    with pytest.raises(MediaError, match=f"{DAMAGED}|{BACK}"):
        decode(flv_with_a_flipped_bit(tmp_path, bit, kind=8))


@pytest.mark.parametrize("bit", [12, 18, 22, 30])
@pytest.mark.parametrize("fps", [None, 25])
def test_a_flipped_bit_in_a_video_timestamp(bit, fps, tmp_path):
    with pytest.raises(MediaError, match=DAMAGED):
        decode_video(flv_with_a_flipped_bit(tmp_path, bit, kind=9), fps=fps)


@pytest.mark.parametrize("bit", [12, 17, 22, 30])
def test_a_flipped_bit_in_matroska(bit, tmp_path):
    with pytest.raises(MediaError, match=DAMAGED):
        decode(mka_with_a_flipped_bit(tmp_path, bit))


def test_without_a_stated_duration_a_gap_is_at_most_an_hour(tmp_path):
    live = ("-live", 1)
    with pytest.raises(MediaError, match=r"damaged: its timestamps skip 4194 s before"):
        decode(mka_with_a_flipped_bit(tmp_path, 22, *live))
    with pytest.raises(MediaError, match=BACK):  # behind the silence
        decode(mka_with_a_flipped_bit(tmp_path, 16, *live))
    assert len(decode(mka_with_a_flipped_bit(tmp_path, -1, *live))) == 4 * 8000
