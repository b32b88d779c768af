"""Files that can't be decoded raise MediaError with a one-line reason."""

from __future__ import annotations

import builtins
import os
from pathlib import Path

import numpy as np
import pytest
from media_maker import decode, noise_and_tone, write_kind, write_media

from torch_zoo.utils.media.audio import open_audio
from torch_zoo.utils.types import MediaError, Source

FFMPEGS = ("auto", "pyav", "ffmpeg")
ALL = (*FFMPEGS, "soundfile")
DAMAGE = (
    r"truncated|damaged|prematurely|corrupt|invalid|moov atom not found|not a (media|sound) file|Error opening input"
)


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


@pytest.mark.parametrize("decoder", ALL)
def test_a_clip_without_audio(bikes, decoder):
    message = "not an audio file" if decoder == "soundfile" else "no audio stream.*choose a visual feature_type"
    with pytest.raises(MediaError, match=message):
        decode(bikes, decoder)


@pytest.mark.parametrize("share", [0.5, 0.03])
@pytest.mark.parametrize("decoder", FFMPEGS)
@pytest.mark.parametrize(
    "kind",
    ["h264+aac.mp4", "mpeg4+aac.mkv", "vp8+opus.webm", "16bit.wav", "flac.flac", "lame.mp3", "mpeg4+mp3.avi"],
)
def test_a_truncated_file(kind, decoder, share, tmp_path):
    path, _, _ = write_kind(tmp_path, kind)
    with pytest.raises(MediaError, match=DAMAGE):
        decode(cut(path, share), decoder)


def test_a_segment_before_the_damage_is_intact(tmp_path):
    path, _, rate = write_kind(tmp_path, "flac.flac")
    whole = decode(path)
    with open_audio(Source(str(cut(path, 0.5)), "x", 0.1, 0.6), "pyav") as audio:
        segment = np.concatenate(list(audio.blocks), axis=1).T
    np.testing.assert_array_equal(segment, whole[round(0.1 * rate) : round(0.6 * rate)])


@pytest.mark.parametrize("decoder", FFMPEGS)
def test_a_truncated_mp4_whose_index_comes_first(decoder, tmp_path):
    samples = noise_and_tone(2.0, 44100)
    path = write_media(tmp_path / "x.mp4", samples, 44100, "aac", picture="mpeg4", options={"movflags": "faststart"})
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")
    with pytest.raises(MediaError, match=DAMAGE):
        decode(cut(path, 0.6), decoder)


@pytest.mark.parametrize("kind", ["16bit.wav", "24bit.wav", "flac.flac", "lame.mp3"])
def test_a_truncated_file_with_soundfile(kind, tmp_path):
    path, _, _ = write_kind(tmp_path, kind)
    with pytest.raises(MediaError, match=DAMAGE):
        decode(cut(path, 0.5), "soundfile")


def test_a_truncated_stream_whose_audio_is_not_even_described(tmp_path):
    path, _, _ = write_kind(tmp_path, "mpeg2+aac.ts")
    with pytest.raises(MediaError, match="damaged or truncated"):
        decode(cut(path, 0.02), "pyav")


@pytest.mark.parametrize("decoder", ALL)
@pytest.mark.parametrize("name", ["empty.mp4", "empty.wav"])
def test_an_empty_file(name, decoder, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(MediaError, match="0 bytes"):
        decode(tmp_path / name, decoder)


@pytest.mark.parametrize("decoder", ALL)
@pytest.mark.parametrize("name", ["letter.mp4", "letter.wav"])
def test_text_under_the_name_of_a_clip(name, decoder, tmp_path):
    (tmp_path / name).write_text("Dear reader, this is no sound at all.\n" * 100)
    with pytest.raises(MediaError, match=DAMAGE):
        decode(tmp_path / name, decoder)


@pytest.mark.parametrize("decoder", ALL)
def test_noise_under_the_name_of_a_clip(decoder, tmp_path):
    path = tmp_path / "noise.mkv"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    with pytest.raises(MediaError):
        decode(path, decoder)


@pytest.mark.parametrize("decoder", ALL)
def test_a_folder_and_a_file_that_is_not_there(decoder, tmp_path):
    with pytest.raises(MediaError, match="folder"):
        decode(tmp_path, decoder)
    with pytest.raises(MediaError, match="No such file"):
        decode(tmp_path / "gone.mp4", decoder)


@pytest.mark.parametrize("decoder", ALL)
def test_a_file_without_read_permission(decoder, tmp_path, monkeypatch):
    path, _, _ = write_kind(tmp_path, "16bit.wav", 0.1)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read anything
        monkeypatch.setattr(builtins, "open", _forbidding(path, builtins.open))
    with pytest.raises(MediaError, match="cannot be opened: Permission denied"):
        decode(path, decoder)


def _forbidding(forbidden, real_open):
    def refuse(file, *args, **kwargs):
        if str(file) == str(forbidden):
            raise PermissionError(13, "Permission denied", str(file))
        return real_open(file, *args, **kwargs)

    return refuse
