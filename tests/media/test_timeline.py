"""Samples have the right times: after priming, late starts and gaps, and in segments."""

from __future__ import annotations

import numpy as np
import pytest
from media_maker import by_program, decode, noise_and_tone, write_kind, write_media, write_vorbis

from torch_zoo.utils.types import MediaError

RATE = 44100
IN_PLACE = round(0.001 * RATE)  # the clock of mkv and of edit lists ticks in ms
INTO_HOLES = ("-af", "aresample=async=1:first_pts=0")


def clicks(*seconds: float, length: float = 2.0) -> np.ndarray:
    samples = np.zeros((round(length * RATE), 2), np.int16)
    for second in seconds:
        samples[round(second * RATE)] = 30000
    return samples


def first_loud(samples: np.ndarray) -> int:
    """Position of the loudest sample, in a stream with one click."""
    return int(np.abs(samples.astype(int)).max(axis=1).argmax())


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "m4a", "mp3"])
def test_a_click_keeps_its_time(suffix, decoder, tmp_path):
    codec = "libmp3lame" if suffix == "mp3" else "aac"
    picture = None if suffix in ("mp3", "m4a") else "mpeg4"
    path = write_media(tmp_path / f"click.{suffix}", clicks(0.7), RATE, codec, picture=picture)
    assert abs(first_loud(decode(path, decoder)) - round(0.7 * RATE)) <= IN_PLACE


@pytest.mark.parametrize("suffix", ["mp4", "mov", "m4a"])
def test_encoder_padding_at_the_end_is_dropped(suffix, tmp_path):
    samples = noise_and_tone(1.0, RATE)
    path = write_media(tmp_path / f"x.{suffix}", samples, RATE, "aac")
    assert len(decode(path)) == len(samples)
    assert len(decode(path, start=0.5)) == len(samples) - RATE // 2


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_audio_that_starts_after_the_video_is_preceded_by_silence(suffix, decoder, tmp_path):
    path = write_media(tmp_path / f"late.{suffix}", clicks(0.5), RATE, "aac", picture="mpeg4", start=1.0)
    samples = decode(path, decoder)
    assert abs(first_loud(samples) - round(1.5 * RATE)) <= IN_PLACE
    assert not samples[: round(0.95 * RATE)].any()
    theirs = by_program(path, *INTO_HOLES)
    assert 0 <= len(theirs) - len(samples) < 1024  # here the program keeps what fills the last frame
    np.testing.assert_allclose(samples.astype(int), theirs[: len(samples)], atol=1)


def test_a_late_start_in_a_transport_stream_is_silence_too(tmp_path):
    path = write_media(tmp_path / "late.ts", clicks(0.5), RATE, "aac", picture="mpeg2video", start=1.0)
    assert abs(first_loud(decode(path)) - round(1.5 * RATE)) <= IN_PLACE


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_gap_in_the_timestamps_is_filled_with_silence(suffix, tmp_path):
    picture = "mpeg2video" if suffix == "ts" else "mpeg4"
    sound = clicks(1.5, length=2.5)
    path = write_media(tmp_path / f"hole.{suffix}", sound, RATE, "aac", picture=picture, hole=(1.0, 0.7))
    samples = decode(path, "pyav")
    priming = 1024 if suffix == "ts" else 0  # a transport stream has no field for it: it plays
    assert abs(first_loud(samples) - round(2.2 * RATE) - priming) <= IN_PLACE
    assert not samples[round(1.1 * RATE) : round(1.6 * RATE)].any()
    np.testing.assert_allclose(samples.astype(int), by_program(path, *INTO_HOLES), atol=1)
    np.testing.assert_allclose(samples.astype(int), decode(path, "ffmpeg"), atol=1)


@pytest.mark.parametrize(
    "kind", ["16bit.wav", "flac.flac", "h264+aac.mp4", "mpeg4+aac.mkv", "lame.mp3", "vp8+opus.webm"]
)
def test_a_segment_is_a_slice_of_the_whole(kind, tmp_path):
    path, _, rate = write_kind(tmp_path, kind, seconds=6.0)
    whole = decode(path)
    for start, end in [(0.0, 1.0), (0.25, 0.75), (1.5, 1.50123), (3.7, 5.21), (4.444, None), (0.0, 60.0)]:
        last = None if end is None else round(end * rate)
        np.testing.assert_array_equal(decode(path, start=start, end=end), whole[round(start * rate) : last])


def test_a_segment_of_real_aac_is_a_slice_of_the_whole(shared_sample):
    whole = decode(shared_sample)
    np.testing.assert_array_equal(
        decode(shared_sample, start=12.34, end=15.0), whole[round(12.34 * 44100) : 15 * 44100]
    )


def test_a_segment_by_the_program_is_the_same(tmp_path):
    path, _, _ = write_kind(tmp_path, "h264+aac.mp4", seconds=4.0)
    ours, programs = (decode(path, decoder, 1.25, 2.5).astype(int) for decoder in ("pyav", "ffmpeg"))
    np.testing.assert_allclose(ours, programs, atol=1)


@pytest.mark.parametrize("kind", ["16bit.wav", "flac.flac", "h264+aac.mp4", "mpeg4+aac.mkv", "lame.mp3"])
@pytest.mark.parametrize("decoder", ["auto", "pyav", "ffmpeg"])
def test_a_segment_after_the_end_fails_and_states_the_end(kind, decoder, tmp_path):
    path, _, _ = write_kind(tmp_path, kind, seconds=2.0)
    with pytest.raises(MediaError, match=r"segment starts at 7 s, but the audio ends at 2\.0"):
        decode(path, decoder, start=7.0)


def test_a_segment_after_the_end_of_ogg_fails(tmp_path):
    with pytest.raises(MediaError, match="segment starts at 7 s"):
        decode(write_vorbis(tmp_path / "x.ogg"), start=7.0, end=8.0)
