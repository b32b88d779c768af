"""Segments of a video, and resampling by re-encoding."""

from __future__ import annotations

import numpy as np
import pytest
from video_maker import decode, ffmpeg, opencv, write_video

from torch_zoo.utils.types import MediaError

# key frames every second or so, and frames before them that refer to later ones, in many patterns
KINDS = {
    "h264.mp4": {"options": {"g": "25", "bf": "3"}},
    "h264.mkv": {"options": {"g": "25", "bf": "3"}},
    "open_gop.mp4": {"options": {"x264-params": "keyint=25:open-gop=1:bframes=3"}},
    "open_gop.mkv": {"options": {"x264-params": "keyint=25:open-gop=1:bframes=3"}},
    "intra_refresh.mp4": {"options": {"x264-params": "keyint=25:intra-refresh=1"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=25:open-gop=1"}},
    "one_key_frame.mp4": {"options": {"g": "1000"}},
    "no_b_frames.mp4": {"codec": "mpeg4", "options": {"g": "12"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "25"}},
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"bf": "2", "g": "12"}},
    "b_frames.avi": {"codec": "mpeg4", "options": {"bf": "2", "g": "12"}},
}


def same(some, others):
    assert [f.pts_seconds for f in some] == [f.pts_seconds for f in others]
    assert all(np.array_equal(a.image(), b.image()) for a, b in zip(some, others, strict=True))


@pytest.mark.parametrize("fps", [None, 7.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_segment_has_the_same_frames_as_the_whole(kind, fps, tmp_path):
    path = write_video(tmp_path / kind, 130, **KINDS[kind])
    whole = decode(path, fps=fps)[1]
    for start, end in [(0.0, 1.0), (0.5, 0.52), (2.0, 3.0), (1.96, None), (2.61, 4.2), (4.99, None), (1.01, 90.0)]:
        expected = [f for f in whole if start <= f.pts_seconds < (end or 1e9)]
        same(decode(path, start, end, fps=fps, threads=2)[1], expected)


def test_a_segment_that_starts_after_a_gap_and_far_in(tmp_path):
    path = write_video(tmp_path / "x.mp4", 700, size=(32, 32), rate=10, options={"g": "300"})
    whole = decode(path)[1]
    same(decode(path, 61.5, 63)[1], whole[615:630])


def test_adjacent_segments_share_no_frame(bikes):
    parts = [decode(bikes, a, b)[1] for a, b in [(0, 3.3), (3.3, 7.0), (7.0, None)]]
    same([frame for part in parts for frame in part], decode(bikes)[1])


@pytest.mark.parametrize("kind", ["h264.mp4", "mpeg2.ts"])
@pytest.mark.parametrize("how", [{}, {"fps": 10}, {"fps": 10, "fps_method": "reencode"}])
def test_a_segment_after_the_end(kind, how, tmp_path):
    path = write_video(tmp_path / kind, 50, **KINDS[kind])
    with pytest.raises(MediaError, match=r"segment starts at 9 s, but the video ends at 2\.\d\d s"):
        decode(path, 9.0, **how)


@pytest.mark.parametrize("fps", [25, 15, 40])
def test_reencoding_equals_the_programs_mp4(fps, bigbuckbunny, tmp_path):
    ffmpeg("-i", bigbuckbunny, "-t", "2", "-c", "copy", tmp_path / "x.mp4")
    ffmpeg(
        "-i",
        tmp_path / "x.mp4",
        "-filter_complex",
        f"[0]fps=fps={fps}[s]",
        "-map",
        "[s]",
        tmp_path / "as_published.mp4",
    )
    video, frames = decode(tmp_path / "x.mp4", fps=fps, fps_method="reencode")
    rate, times, images = opencv(tmp_path / "as_published.mp4")
    assert video.fps == rate
    np.testing.assert_allclose([f.pts_seconds for f in frames], times, atol=1e-6)
    assert all(np.array_equal(f.image(), image) for f, image in zip(frames, images, strict=True))


def test_the_reencoded_video_can_be_kept(tmp_path):
    path = write_video(tmp_path / "x.mkv", 30)
    _, frames = decode(path, fps=10, fps_method="reencode", keep=tmp_path / "kept" / "x_10.mp4")
    same(decode(tmp_path / "kept" / "x_10.mp4")[1], frames)
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert len(frames) == 12


def test_a_reencoded_segment(tmp_path):
    path = write_video(tmp_path / "x.mp4", 75)
    _, frames = decode(path, 1.0, 2.0, fps=10, fps_method="reencode", keep=tmp_path / "kept.mp4")
    np.testing.assert_allclose([f.pts_seconds for f in frames], 1 + np.arange(10) / 10)
    assert len(decode(tmp_path / "kept.mp4")[1]) == 20


def test_a_late_frame_stays_late_when_reencoded(tmp_path):
    write_video(tmp_path / "late.mp4", 25)
    tone = ("-f", "lavfi", "-i", "sine=duration=2")
    ffmpeg(*tone, "-itsoffset", "0.4", "-i", tmp_path / "late.mp4", "-c:v", "copy", tmp_path / "x.mp4")
    for fps_method in ("select", "reencode"):
        assert decode(tmp_path / "x.mp4", fps=10, fps_method=fps_method)[1][0].pts_seconds == pytest.approx(
            0.4, abs=0.01
        )


def test_a_rotated_recording_is_upright_when_reencoded(tmp_path):
    write_video(tmp_path / "plain.mp4", 5)
    ffmpeg("-display_rotation", 90, "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "x.mp4")
    _, frames = decode(tmp_path / "x.mp4", fps=25, fps_method="reencode")
    assert frames[0].image().shape == (64, 48, 3)
