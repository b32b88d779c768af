"""Frames, timestamps and colors, compared with OpenCV and the ffmpeg program."""

from __future__ import annotations

import gc
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_maker import LOSSLESS, decode, ffmpeg, fps_method, gray, opencv, write_video

from torch_zoo.utils.media.video import open_video, resample_frames, round_half_up
from torch_zoo.utils.media.video_stream import Frame, _LazyImage
from torch_zoo.utils.types import Source

KINDS = {
    "h264.mp4": {},
    "no_b_frames.mp4": {"options": {"bf": "0"}},
    "yuv444.mp4": {"pix_fmt": "yuv444p", "size": (63, 47)},
    "full_range.mp4": {"pix_fmt": "yuvj420p"},
    "gray.mp4": {"pix_fmt": "gray"},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "b_frames.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj422p"},
    "vp9.webm": {"codec": "libvpx-vp9", "size": (61, 45)},
    "alpha.mkv": {"codec": "ffv1", "pix_fmt": "yuva420p"},
    "gray16.mkv": {"codec": "ffv1", "pix_fmt": "gray16le"},
    "odd.mkv": {"codec": "ffv1", "size": (63, 47)},
    "rgba.mov": {"codec": "png", "pix_fmt": "rgba"},
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "h264.ts": {},
    "bt709.mp4": {"options": {"colorspace": "bt709"}},
}
DEEP = {
    "10bit.mp4": {"pix_fmt": "yuv420p10le"},
    "422_10bit.mkv": {"codec": "ffv1", "pix_fmt": "yuv422p10le"},
}


def largest_difference(frames, images) -> int:
    return max(int(np.abs(f.image().astype(int) - image).max()) for f, image in zip(frames, images, strict=True))


def check_against_opencv(path, tolerance=0):
    video, frames = decode(path)
    fps, times, images = opencv(path)
    assert video.fps == fps
    assert frames[0].image().shape == images[0].shape
    if path.suffix != ".avi":  # of the last frame in an AVI with B-frames, OpenCV says 0 s
        np.testing.assert_allclose([f.pts_seconds for f in frames], times, atol=1e-9)
    assert largest_difference(frames, images) <= tolerance
    assert all(f.image().flags.c_contiguous and f.image().dtype == np.uint8 for f in frames)
    return frames


@pytest.mark.parametrize("kind", KINDS)
def test_frames_and_timestamps_equal_opencvs(kind, tmp_path):
    assert len(check_against_opencv(write_video(tmp_path / kind, **KINDS[kind]))) == 20


@pytest.mark.parametrize("kind", DEEP)
def test_colors_of_high_bit_depths_are_close_to_opencvs(kind, tmp_path):
    check_against_opencv(write_video(tmp_path / kind, **DEEP[kind]), tolerance=8)


def test_the_sample_as_published(shared_sample):
    frames = check_against_opencv(shared_sample)
    assert len(frames) == 355
    assert 1000 * frames[64].pts_seconds == pytest.approx(3261.977573904, abs=1e-8)


def test_real_clips(bigbuckbunny, bikes):
    assert len(check_against_opencv(bigbuckbunny)) == 132
    assert len(check_against_opencv(bikes)) == 250


def test_a_variable_frame_rate(tmp_path):
    times = [Fraction(k * k, 300) for k in range(30)]
    check_against_opencv(write_video(tmp_path / "x.mp4", times))


@pytest.mark.parametrize("degrees", [90, 180, 270, 45])
def test_a_rotated_recording_is_upright(degrees, tmp_path):
    write_video(tmp_path / "plain.mp4", 5)
    ffmpeg("-display_rotation", degrees, "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "x.mp4")
    check_against_opencv(tmp_path / "x.mp4")


@pytest.mark.parametrize("threads", [0, 3])
def test_threads_do_not_change_the_result(threads, tmp_path):
    path = write_video(tmp_path / "x.mp4", 40, options={"slices": "2"})
    assert largest_difference(decode(path, threads=threads)[1], [f.image() for f in decode(path)[1]]) == 0


def test_bt601_ignores_the_matrix_in_the_file(tmp_path):
    plain = write_video(tmp_path / "plain.mp4", 3)
    tagged = write_video(tmp_path / "tagged.mp4", 3, options={"colorspace": "bt709"})
    images = [f.image() for f in decode(plain)[1]]
    assert largest_difference(decode(tagged, color_matrix="bt601")[1], images) == 0
    assert largest_difference(decode(tagged)[1], images) > 10


def test_interlaced_frames_are_not_deinterlaced(tmp_path):
    path = write_video(tmp_path / "x.mkv", 5, codec="mpeg2video", options={"flags": "+ildct+ilme", "top": "1"})
    assert len(decode(path)[1]) == 5


def test_frames_that_change_size_are_resized_to_the_first(tmp_path):
    small = write_video(tmp_path / "small.ts", 10, size=(64, 48), codec="mpeg2video")
    large = write_video(tmp_path / "large.ts", 10, size=(128, 96), codec="mpeg2video")
    (tmp_path / "x.ts").write_bytes(small.read_bytes() + large.read_bytes())
    _, frames = decode(tmp_path / "x.ts")
    assert {f.image().shape for f in frames} == {(48, 64, 3)}


@pytest.mark.parametrize(("suffix", "codec"), [("ts", "libx264"), ("mpg", "mpeg2video")])
def test_a_stream_with_a_clock_reset_continues(suffix, codec, tmp_path):
    once = write_video(tmp_path / f"once.{suffix}", 50, codec=codec)
    (tmp_path / f"twice.{suffix}").write_bytes(once.read_bytes() * 2)
    _, frames = decode(tmp_path / f"twice.{suffix}")
    np.testing.assert_allclose([f.pts_seconds for f in frames], np.arange(100) / 25, atol=1e-4)


def test_time_counts_from_the_earliest_stream(tmp_path):
    write_video(tmp_path / "late.mp4", 10)
    tone = ("-f", "lavfi", "-i", "sine=duration=2")
    ffmpeg(*tone, "-itsoffset", "0.4", "-i", tmp_path / "late.mp4", "-c:v", "copy", tmp_path / "x.mp4")
    assert decode(tmp_path / "x.mp4")[1][0].pts_seconds == pytest.approx(0.4, abs=0.001)


FPS = ["25", "15", "10", "30", "7.3", "29.97", "60", "1", "0.5", "12.5"]


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("rate", [25, Fraction(30000, 1001), Fraction(981, 50), 8])
def test_resampled_frames_are_those_of_the_fps_filter(rate, fps, tmp_path):
    path = write_video(tmp_path / "x.mkv", 50, rate=rate, size=(16, 16), picture=gray, **LOSSLESS)
    check_chosen(path, fps)


@pytest.mark.parametrize("fps", FPS)
def test_and_with_a_variable_frame_rate(fps, tmp_path):
    times = np.cumsum(np.random.default_rng(int(float(fps) * 100)).integers(1, 200, 40))
    frames = [Fraction(int(t), 1000) for t in times - times[0]]
    check_chosen(write_video(tmp_path / "x.mkv", frames, size=(16, 16), picture=gray, **LOSSLESS), fps)


def check_chosen(path, fps):
    video, frames = decode(path, fps=float(fps))
    assert [int(f.image()[0, 0, 0]) for f in frames] == fps_method(path, fps)
    assert video.fps == float(fps)
    np.testing.assert_allclose([f.pts_seconds for f in frames], np.arange(len(frames)) / float(fps))


@pytest.mark.parametrize(("fps", "number"), [(25, 451), (15, 271)])
def test_the_sample_at_the_published_rates(fps, number, shared_sample):
    assert len(decode(shared_sample, fps=fps)[1]) == number


def test_a_repeated_frame_is_converted_once_and_a_skipped_one_never(tmp_path):
    _, frames = decode(write_video(tmp_path / "x.mp4", 4, rate=10), fps=20)
    assert frames[0].image() is frames[1].image() is not frames[2].image()
    assert frames[4].image._image is None


@given(
    st.lists(st.fractions(0, 3, max_denominator=500), min_size=1, max_size=12).map(sorted),
    st.fractions(Fraction(1, 2), 40, max_denominator=30),
    st.fractions(0, 1, max_denominator=50),
)
def test_each_tick_has_the_last_frame_with_rounded_pts_up_to_it(times, fps, last_duration):
    frames = [Frame(t, last_duration, k) for k, t in enumerate(times)]
    rounded = [int(t * fps + Fraction(1, 2)) for t in times]
    end = int((times[-1] + last_duration) * fps + Fraction(1, 2))
    expected = [(n / fps, max(k for k, r in enumerate(rounded) if r <= n)) for n in range(rounded[0], end)]
    assert [(f.pts, f.image) for f in resample_frames(frames, fps)] == expected


@given(st.fractions(0, 100))
def test_halves_are_rounded_up(value):
    assert round_half_up(value) - Fraction(1, 2) <= value < round_half_up(value) + Fraction(1, 2)


def test_frames_are_released(tmp_path):
    path = write_video(tmp_path / "x.mp4", 100)
    with open_video(Source(str(path), "x"), fps=40, threads=2) as video:
        for _frame in islice(video.frames, 0, None, 20):
            assert sum(type(one) is _LazyImage for one in gc.get_objects()) <= 3
