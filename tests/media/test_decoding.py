"""Every container and codec gives the same samples as the ffmpeg program."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from media_maker import KINDS, ONE_STEP, assert_same, by_program, decode, noise_and_tone, write_kind, write_vorbis

from torch_zoo.utils.media.audio import BLOCK_SECONDS, keep_wav, mono, open_audio
from torch_zoo.utils.types import MediaError, Source


@pytest.mark.parametrize("kind", KINDS)
def test_samples_and_rate_equal_the_ffmpeg_programs(kind, tmp_path):
    path, _, rate = write_kind(tmp_path, kind)
    # WMA's timestamps start two frames late; the program ignores this unless it has to keep time
    theirs = by_program(path, *(("-af", "aresample=async=1:first_pts=0") if kind == "wma.wma" else ()))
    assert len(theirs) >= 1.9 * rate
    for decoder in ("auto", "pyav", "ffmpeg"):
        with open_audio(Source(str(path), "x"), decoder) as audio:
            assert audio.rate == rate
            assert_same(np.concatenate(list(audio.blocks), axis=1).T, theirs)


def test_ogg_vorbis_too(tmp_path):
    path = write_vorbis(tmp_path / "vorbis.ogg")
    theirs = by_program(path)
    for decoder in ("auto", "ffmpeg"):
        assert_same(decode(path, decoder), theirs)


def test_surround_sound_keeps_its_six_channels(bigbuckbunny):
    theirs = by_program(bigbuckbunny)
    assert theirs.shape[1] == 6
    for decoder in ("pyav", "ffmpeg"):
        assert_same(decode(bigbuckbunny, decoder), theirs)


def test_the_shared_sample_is_what_earlier_ffmpegs_made_of_it(shared_sample, golden):
    with np.load(golden / "frontend_v_GGSY1Qvo990.npz") as metadata:
        samples = decode(shared_sample)
        assert samples.shape == (metadata["num_samples"], 1)
        first = metadata["pcm_first_8192"].astype(int)
        assert np.abs(samples[: len(first), 0] - first).max() <= ONE_STEP
        assert abs(samples.sum(dtype=np.int64) - metadata["pcm_sum"]) <= 152  # samples that differ between 5.1 and 8


@pytest.mark.parametrize(
    ("subtype", "suffix"),
    [("PCM_16", "wav"), ("PCM_24", "wav"), ("PCM_U8", "wav"), ("FLOAT", "wav"), ("PCM_24", "flac")],
)
def test_soundfile_and_ffmpeg_quantize_alike(subtype, suffix, tmp_path):
    path = tmp_path / f"x.{suffix}"
    loud = np.random.default_rng(1).uniform(-1.2, 1.2, (8000, 2))
    soundfile.write(path, loud, 16000, subtype=subtype)
    theirs = by_program(path)
    for decoder in ("soundfile", "pyav", "ffmpeg"):
        np.testing.assert_array_equal(decode(path, decoder), theirs)


def test_wav_samples_are_unchanged(tmp_path):
    path, samples, _ = write_kind(tmp_path, "16bit.wav")
    np.testing.assert_array_equal(decode(path), samples)


def test_mono_is_the_mean_of_the_channels_between_minus_one_and_one():
    block = np.array([[32767, -32768, 100], [-32768, -32768, 201]], np.int16)  # (channels, n)
    (result,) = mono([block])
    np.testing.assert_array_equal(result, [-0.5 / 32768, -1.0, 150.5 / 32768])


def test_blocks_are_bounded_however_long_the_file(tmp_path):
    seconds = 3 * BLOCK_SECONDS
    for path in (write_kind(tmp_path, "lame.mp3", seconds)[0], write_kind(tmp_path, "8bit.wav", seconds)[0]):
        with open_audio(Source(str(path), "x")) as audio:
            lengths = [block.shape[1] for block in audio.blocks]
            assert len(lengths) >= 3
            assert max(lengths) <= audio.rate * (BLOCK_SECONDS + 1)


def test_a_kept_wav_holds_the_decoded_samples(tmp_path):
    path, _, rate = write_kind(tmp_path, "h264+aac.mp4")
    kept = tmp_path / "kept" / "clip.wav"
    with open_audio(Source(str(path), "clip")) as audio:
        passed = np.concatenate(list(keep_wav(audio.blocks, audio.rate, kept, str(path))), axis=1).T
    stored, stored_rate = soundfile.read(kept, dtype="int16")
    assert stored_rate == rate
    np.testing.assert_array_equal(stored, passed)
    np.testing.assert_array_equal(decode(path), passed)


def test_an_interrupted_wav_leaves_no_file(tmp_path):
    def broken():
        yield noise_and_tone(0.1, 8000)
        raise MediaError("truncated")

    with pytest.raises(MediaError):
        list(keep_wav(broken(), 8000, tmp_path / "broken.wav", "x.mp4"))
    abandoned = keep_wav(iter([noise_and_tone(0.1, 8000)] * 2), 8000, tmp_path / "abandoned.wav", "x.mp4")
    next(abandoned)
    abandoned.close()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_stream_leaves_no_wav_and_no_error(tmp_path):
    path = tmp_path / "empty.wav"
    soundfile.write(path, noise_and_tone(0, 16000), 16000)
    with open_audio(Source(str(path), "x")) as audio:
        assert list(keep_wav(audio.blocks, audio.rate, tmp_path / "kept.wav", str(path))) == []
    assert not (tmp_path / "kept.wav").exists()
