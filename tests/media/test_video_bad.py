"""Files without video, or with damaged video, raise MediaError with a one-line reason."""

from __future__ import annotations

import numpy as np
import pytest
from media_maker import noise_and_tone, write_media
from PIL import Image
from video_maker import decode, ffmpeg, gray, pattern, write_video

from torch_zoo.utils.media import video_stream
from torch_zoo.utils.types import MediaError

WAYS = {"select": {}, "reencode": {"fps": 12, "fps_method": "reencode"}}
DAMAGE = r"truncated|damaged|not a media file|Invalid|Error|prematurely"


@pytest.fixture(params=WAYS)
def how(request):
    return WAYS[request.param]


def test_sound_only(how, tmp_path):
    path = write_media(tmp_path / "x.m4a", noise_and_tone(1.0, 44100), 44100, "aac")
    with pytest.raises(MediaError, match=r"no video stream \(audio only\); .*feature_type=vggish"):
        decode(path, **how)


@pytest.mark.parametrize("name", ["song.mp3", "song.m4a"])
def test_a_cover_image_is_no_video(name, how, tmp_path):
    ffmpeg(
        *"-f lavfi -i sine=duration=1 -f lavfi -i testsrc2=s=64x48 -frames:v 1 -disposition:v attached_pic".split(),
        "-map",
        "0",
        "-map",
        "1",
        "-c:v",
        "mjpeg",
        tmp_path / name,
    )
    with pytest.raises(MediaError, match="no video stream"):
        decode(tmp_path / name, **how)


def test_a_video_is_preferred_to_a_cover_image(how, tmp_path):
    write_video(tmp_path / "film.mp4", 24, rate=12)
    Image.fromarray(pattern(0, 640, 480)).save(tmp_path / "cover.png")
    both = ("-i", tmp_path / "film.mp4", "-i", tmp_path / "cover.png", "-map", "0", "-map", "1", "-c", "copy")
    ffmpeg(*both, "-disposition:v:1", "attached_pic", tmp_path / "x.mp4")
    _, frames = decode(tmp_path / "x.mp4", **how)
    assert (frames[0].image().shape, len(frames)) == ((48, 64, 3), 24)


def test_the_default_stream_is_preferred(how, tmp_path):
    for name, size in {"a.mp4": (64, 48), "b.mp4": (32, 32)}.items():
        write_video(tmp_path / name, 12, rate=12, size=size)
    both = ("-i", tmp_path / "a.mp4", "-i", tmp_path / "b.mp4", "-map", "0", "-map", "1", "-c", "copy")
    ffmpeg(*both, "-disposition:v:0", "0", "-disposition:v:1", "default", tmp_path / "x.mkv")
    _, frames = decode(tmp_path / "x.mkv", **how)
    assert (frames[0].image().shape, len(frames)) == ((32, 32, 3), 12)


@pytest.mark.parametrize("share", [0.6, 0.03])
@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("x.mp4", {}),
        ("fast.mp4", {"muxing": {"movflags": "faststart"}}),
        ("x.mkv", {}),
        ("x.avi", {"codec": "mpeg4"}),
        ("x.webm", {"codec": "libvpx"}),
    ],
)
def test_a_truncated_file(name, made, share, how, tmp_path):
    path = write_video(tmp_path / name, 60, size=(128, 96), **made)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(MediaError, match=DAMAGE):
        decode(path, **how)


def test_a_transport_stream_without_a_frame(how, tmp_path):
    path = write_video(tmp_path / "x.ts", 20)
    path.write_bytes(path.read_bytes()[: 188 * 3])
    with pytest.raises(MediaError, match=r"damaged or truncated|not a media file|has no frames|no video stream"):
        decode(path, **how)


@pytest.mark.parametrize(
    ("name", "made"),
    [("x.mp4", {}), ("x.mkv", {"codec": "mpeg4"}), ("x.ts", {"codec": "mpeg2video"})],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_damage_in_the_middle(name, made, threads, tmp_path):
    def noisy(index, width, height):
        noise = np.random.default_rng(index).integers(-40, 40, (height, width, 3))
        return np.clip(pattern(index, width, height) + noise, 0, 255).astype(np.uint8)

    path = write_video(tmp_path / name, 50, size=(128, 96), picture=noisy, **made)
    content = bytearray(path.read_bytes())
    for at in np.random.default_rng(0).integers(len(content) // 3, len(content) * 2 // 3, 40):
        content[at] ^= 0x55
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"damaged after [01]\.\d\d s of video"):
        decode(path, threads=threads)


def test_an_empty_file_a_folder_text_and_a_missing_file(how, tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "letter.mp4").write_text("Dear reader, this is no video at all.\n" * 100)
    for name, message in {
        "empty.mp4": "0 bytes",
        "letter.mp4": "not a media file",
        ".": "folder",
        "gone.mp4": "No such file",
    }.items():
        with pytest.raises(MediaError, match=message):
            decode(tmp_path / name, **how)


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv"])
def test_a_video_of_zero_length(name, how, tmp_path):
    ffmpeg(*"-f lavfi -i testsrc2=s=64x48 -t 0 -c:v libx264".split(), tmp_path / name)
    with pytest.raises(MediaError, match=r"has no frames|no video stream|not a media file"):
        decode(tmp_path / name, **how)


def test_one_frame_is_a_video(tmp_path):
    assert len(decode(write_video(tmp_path / "x.mp4", 1))[1]) == 1


def test_the_programs_error_is_reported(tmp_path):
    path = write_video(tmp_path / "odd.mkv", 5, size=(63, 47), codec="ffv1")
    with pytest.raises(MediaError, match=r"ffmpeg: .*not divisible by 2"):
        decode(path, fps=12, fps_method="reencode")


def test_frames_too_large_to_decode(how, tmp_path):
    path = write_video(tmp_path / "x.mkv", 1, size=(8208, 8192), codec="mjpeg", pix_fmt="yuvj420p", picture=gray)
    with pytest.raises(MediaError, match=r"its frames are 8208 x 8192 px; at most 67,108,864 px \(8192 x 8192\)"):
        decode(path, **how)


def test_frames_that_grow_too_large_midway(tmp_path, monkeypatch):
    small = write_video(tmp_path / "a.ts", 20, codec="mpeg2video")
    large = write_video(tmp_path / "b.ts", 20, codec="mpeg2video", size=(128, 96))
    (tmp_path / "x.ts").write_bytes(small.read_bytes() + large.read_bytes())
    assert len(decode(tmp_path / "x.ts")[1]) > 20
    monkeypatch.setattr(video_stream, "MAX_PIXELS", 100 * 80)
    with pytest.raises(MediaError, match=r"damaged after 0\.\d\d s of video"):
        decode(tmp_path / "x.ts")
