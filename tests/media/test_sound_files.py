"""WAV and FLAC variants: PyAV reads what libsndfile can't."""

from __future__ import annotations

import struct

import av
import numpy as np
import pytest
import soundfile
from media_maker import assert_same, by_program, decode, noise_and_tone, write_kind, write_media
from video_maker import ffmpeg

from torch_zoo.utils.media.audio import open_audio
from torch_zoo.utils.types import MediaError, Source


@pytest.mark.parametrize(
    ("kind", "name"),
    [("lame.mp3", "song.wav"), ("h264+aac.mp4", "clip.wav"), ("opus.opus", "song.flac"), ("flac.flac", "song.wav")],
)
def test_the_suffix_does_not_match_the_format(kind, name, tmp_path):
    path, _, _ = write_kind(tmp_path, kind)
    renamed = path.rename(tmp_path / name)
    assert_same(decode(renamed), by_program(renamed))


@pytest.mark.parametrize("codec", ["libmp3lame", "ac3", "wmav2", "adpcm_ima_wav"])
def test_other_codecs_in_wav(codec, tmp_path):
    path = write_media(tmp_path / "x.wav", noise_and_tone(2.0, 44100), 44100, codec)
    with av.open(str(path)) as container:
        assert container.format.name == "wav"
    on_time = ("-af", "aresample=async=1:first_pts=0")  # WMA's timestamps start two frames late
    assert_same(decode(path), by_program(path, *on_time))


def test_flac_in_ogg(tmp_path):
    path, samples, _ = write_kind(tmp_path, "flac.flac")
    ffmpeg("-i", path, "-c", "copy", "-f", "ogg", tmp_path / "ogg.flac")
    np.testing.assert_array_equal(decode(tmp_path / "ogg.flac"), samples)


@pytest.mark.parametrize(
    ("name", "codec"), [("x.flac", "flac"), ("x.mka", "flac"), ("x.tta", "tta"), ("x.wv", "wavpack")]
)
def test_a_flipped_bit_is_found_by_checksums(name, codec, tmp_path):
    path = write_media(tmp_path / name, noise_and_tone(2.0, 44100), 44100, codec)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(MediaError, match="damaged after"):
        decode(path)


def test_flac_goes_on_after_the_number_of_samples_in_its_header(tmp_path):
    path, samples, _ = write_kind(tmp_path, "flac.flac")
    content = bytearray(path.read_bytes())
    content[22:26] = (1000).to_bytes(4, "big")  # of 36 bits, behind those of rate, channels and width
    path.write_bytes(content)
    with open_audio(Source(str(path), "x")) as audio:
        np.testing.assert_array_equal(np.concatenate(list(audio.blocks), axis=1).T, samples)


def test_an_unknown_codec_in_wav(tmp_path):
    path, _, _ = write_kind(tmp_path, "16bit.wav")
    content = bytearray(path.read_bytes())
    content[20:22] = b"\x77\x77"
    path.write_bytes(content)
    with pytest.raises(MediaError, match="its audio stream can't be decoded"):
        decode(path)


UNKNOWN_LENGTH = r"does not state the number of samples; use decoder=pyav"


def test_flac_from_a_pipe_states_no_length(tmp_path):
    path, samples, _ = write_kind(tmp_path, "flac.flac")
    piped = tmp_path / "piped.flac"
    piped.write_bytes(ffmpeg("-i", path, "-f", "flac", "pipe:"))
    np.testing.assert_array_equal(decode(piped), samples)
    with pytest.raises(MediaError, match=UNKNOWN_LENGTH):
        decode(piped, "soundfile")


UNFINISHED = {"recorder": (36, 0), "both zero": (0, 0), "pipe": (0xFFFFFFFF, 0xFFFFFFFF)}


def unfinished(folder, riff_size, data_size):
    path, samples, _ = write_kind(folder, "16bit.wav")
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 4, riff_size)
    struct.pack_into("<I", content, content.index(b"data") + 4, data_size)
    path.write_bytes(content)
    return path, samples


@pytest.mark.parametrize("sizes", UNFINISHED.values(), ids=UNFINISHED)
def test_a_wav_with_an_unfinished_header(sizes, tmp_path):
    path, samples = unfinished(tmp_path, *sizes)
    np.testing.assert_array_equal(decode(path), samples)


def test_soundfile_alone_refuses_it(tmp_path):
    path, _ = unfinished(tmp_path, *UNFINISHED["recorder"])
    with pytest.raises(MediaError, match=UNKNOWN_LENGTH):
        decode(path, "soundfile")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e9, -1e30])
@pytest.mark.parametrize("decoder", ["auto", "pyav", "ffmpeg"])
@pytest.mark.parametrize("name", ["x.wav", "x.mka"])
def test_nan_and_infinity_in_samples(value, decoder, name, tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (16000, 1))
    samples[4000:8000] = value
    soundfile.write(tmp_path / "x.wav", samples, 16000, subtype="FLOAT")
    if name != "x.wav":
        ffmpeg("-i", tmp_path / "x.wav", "-c", "copy", tmp_path / name)
    with pytest.raises(MediaError, match="the audio contains NaN or infinity"):
        decode(tmp_path / name, decoder)


@pytest.mark.parametrize("rate", [1, 999, 768_001, 8_000_000, 100_000_000])
@pytest.mark.parametrize("decoder", ["auto", "pyav"])
def test_a_sampling_rate_out_of_range(rate, decoder, tmp_path):
    soundfile.write(tmp_path / "x.wav", noise_and_tone(1.0, 1000), rate)
    message = f"its sampling rate is {rate} Hz; it must be from 1000 to 768000 Hz"
    with pytest.raises(MediaError, match=message):
        decode(tmp_path / "x.wav", decoder)


@pytest.mark.parametrize("rate", [1000, 768_000])
def test_the_lowest_and_the_highest_rate(rate, tmp_path):
    samples = noise_and_tone(1.0, 1000)
    soundfile.write(tmp_path / "x.wav", samples, rate)
    with open_audio(Source(str(tmp_path / "x.wav"), "x")) as audio:
        assert audio.rate == rate
        np.testing.assert_array_equal(np.concatenate(list(audio.blocks), axis=1).T, samples)
