"""Flow videos: a fixed color scale, and the frames and timestamps of the clip."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from formula import wave
from torchvision.utils import flow_to_image
from video_maker import LOSSLESS, decode, opencv, write_video

from torch_zoo.models.flow import visualize
from torch_zoo.models.flow.palette import Palette
from torch_zoo.models.flow.recording import Recording
from torch_zoo.models.flow.visualize import with_flow

SMALL = ("--smaller-edge", "128")


def texture(index: int, width: int, height: int) -> np.ndarray:
    """A smooth texture that moves 3 px to the right and 2 px down per frame."""
    return wave(height, width, 2 * index, 3 * index).transpose(1, 2, 0).astype(np.uint8)


def uniform(x: float, y: float, size: int = 4) -> np.ndarray:
    return np.broadcast_to(np.array([x, y], np.float32).reshape(2, 1, 1), (2, size, size))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Six frames with uneven timestamps."""
    times = [Fraction(tick, 100) for tick in (0, 4, 8, 20, 24, 28)]
    return write_video(tmp_path / "clip.mkv", times, size=(160, 128), picture=texture, **LOSSLESS)


def test_color_of_a_vector_does_not_depend_on_the_others() -> None:
    alone = Palette(20).colors(uniform(3, -4))
    for other in (0.0, 7.5, 20.0, 400.0):
        flow = uniform(3, -4).copy()
        flow[0, 0] = other
        np.testing.assert_array_equal(Palette(20).colors(flow)[1:], alone[1:])


def test_colors_equal_torchvisions_if_the_longest_vector_is_at_the_limit() -> None:
    flow = np.random.default_rng(0).uniform(-9, 9, (2, 40, 50)).astype(np.float32)
    flow[:, 5, 7] = 12, -16
    theirs = flow_to_image(torch.from_numpy(flow)).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(Palette(20).colors(flow)[:5], theirs[:5])
    assert (
        np.abs(Palette(20).colors(flow).astype(int) - theirs).max() <= 1
    )  # the longest vector is shortened by a millionth


def test_longer_vectors_keep_their_direction() -> None:
    np.testing.assert_allclose(Palette(20).colors(uniform(90, -120)), Palette(20).colors(uniform(12, -16)), atol=1)


def test_the_wheel_shows_each_vector_at_its_position() -> None:
    wheel, inside = Palette(20).wheel(10)
    assert (wheel.shape, inside.sum()) == ((21, 21, 3), 317)  # Gauss's circle of radius 10
    for x, y in ((0, 0), (20, 0), (-8, 6), (0, -14)):
        np.testing.assert_array_equal(wheel[10 + y // 2, 10 + x // 2], Palette(20).colors(uniform(x, y))[0, 0])
    assert wheel[10, 10].tolist() == [255, 255, 255]
    assert wheel[10, 20].tolist() == [255, 0, 0]  # right is red, as in the paper


def test_video_shows_frames_and_their_flow_at_the_right_times(clip: Path, tmp_path: Path) -> None:
    assert visualize.main([str(clip), str(tmp_path / "flow.mp4"), "--longest", "20", *SMALL]) == 0
    _, times, images = opencv(tmp_path / "flow.mp4")
    np.testing.assert_allclose(times, [0, 0.04, 0.08, 0.2, 0.24], atol=1e-4)
    moved = torch.tensor([[[3.0, 20.0]], [[2.0, 0.0]]])  # and the vector that sets the scale
    color = flow_to_image(moved).numpy()[:, 0, 0]
    frames = [frame.image().astype(int) for frame in decode(clip)[1]]
    assert (len(images), len(frames)) == (5, 6)
    for image, frame, following in zip(images, frames, frames[1:], strict=False):
        assert image.shape == (128, 320, 3)
        lost = np.abs(image[:, :160] - frame).mean()  # to the encoding
        assert lost < 5 < np.abs(image[:, :160] - following).mean()
        np.testing.assert_allclose(np.median(image[16:-40, 176:-16], axis=(0, 1)), color, atol=5)


def test_the_scale_is_the_99th_percentile_and_the_legend_states_it(clip: Path, tmp_path: Path, capsys) -> None:
    """All of the texture moves by the same vector, so by default it is shown in full color."""
    assert visualize.main([str(clip), str(tmp_path / "flow.mp4"), *SMALL]) == 0
    longest = float(capsys.readouterr().err.partition(" saturate at ")[2].split()[0])
    assert 0.95 * np.hypot(3, 2) < longest < 1.5 * np.hypot(3, 2)
    _, _, images = opencv(tmp_path / "flow.mp4")
    color = flow_to_image(torch.tensor([[[3.0, longest]], [[2.0, 0.0]]])).numpy()[:, 0, 0]
    for image in images:
        np.testing.assert_allclose(np.median(image[16:-40, 176:-16], axis=(0, 1)), color, atol=8)
        assert (image[96:, 160:].max(axis=2) < 100).sum() > 20  # ink beside the wheel


def test_a_recording_replays_its_flow_and_knows_its_percentiles() -> None:
    generator = np.random.default_rng(0)
    vectors = [generator.normal(0, 5, (pairs, 2, 8, 10)).astype(np.float32) for pairs in (3, 1, 2)]
    coming = iter(vectors)
    recording = Recording(io.BytesIO())
    flow = recording.record(lambda frames: next(coming))
    clips = [np.zeros((len(each) + 1, 8, 10, 3), np.uint8) for each in vectors]
    for clip, expected in zip(clips, vectors, strict=True):
        np.testing.assert_array_equal(flow(clip), expected)
    recording.rewind()
    half = 2.0**-11  # the relative error of rounding to float16
    for clip, expected in zip(clips, vectors, strict=True):
        np.testing.assert_allclose(recording.replay(clip), expected, rtol=half, atol=2.0**-25)
    lengths = np.concatenate([np.hypot(each[:, 0], each[:, 1]).ravel() for each in vectors])
    for percent in (1, 50, 99, 100):
        expected = np.percentile(lengths, percent, method="inverted_cdf")
        assert recording.percentile(percent) == pytest.approx(expected, rel=half)


def test_a_still_clip_has_a_scale(tmp_path: Path, capsys) -> None:
    def still(index: int, width: int, height: int) -> np.ndarray:
        return texture(0, width, height)

    path = write_video(tmp_path / "still.mkv", 3, size=(160, 128), picture=still, **LOSSLESS)
    assert visualize.main([str(path), str(tmp_path / "flow.mp4"), *SMALL]) == 0
    assert "saturate at 1 px" in capsys.readouterr().err


def test_another_frame_rate_and_a_segment(clip: Path, tmp_path: Path) -> None:
    """Options may be spelled as for main.py; an odd height loses a row."""
    options = ("--extraction_fps=50", "--start", "0.04", "--end", "0.12", "--smaller_edge", "129")
    assert visualize.main([str(clip), str(tmp_path / "flow.mp4"), *options]) == 0
    fps, times, images = opencv(tmp_path / "flow.mp4")
    assert (fps, len(images), images[0].shape) == (50, 3, (128, 322, 3))
    np.testing.assert_allclose(times, [0, 0.02, 0.04], atol=1e-4)


def test_memory_is_bounded_and_each_pair_is_computed_once(clip: Path) -> None:
    _, [frame, *_] = decode(clip)
    read = 0
    pairs = []

    def frames():
        nonlocal read
        for _ in range(100):
            read += 1
            yield frame

    def flow(images: np.ndarray) -> np.ndarray:
        pairs.append(len(images) - 1)
        return np.zeros((len(images) - 1, 2, *images.shape[1:3]), np.float32)

    paired = with_flow(frames(), flow, 128)
    next(paired)
    assert read < 20
    assert sum(1 for _ in paired) == 98
    assert sum(pairs) == 99


@pytest.mark.parametrize("kind", ["sound", "single frame", "truncated", "missing", "no folder"])
def test_a_clip_without_flow_is_reported_and_leaves_no_file(kind: str, clip: Path, tmp_path: Path, capsys) -> None:
    path, target = tmp_path / "bad.mp4", tmp_path / "videos" / "flow.mp4"
    if kind == "sound":
        soundfile.write(path, np.zeros(8000), 8000, format="WAV")
    elif kind == "single frame":
        write_video(path, 1)
    elif kind == "truncated":
        write_video(path, 12, rate=5, size=(160, 128), muxing={"movflags": "faststart"})
        path.write_bytes(path.read_bytes()[:-8000])
    elif kind == "no folder":
        path, target = clip, clip / "flow.mp4"
    assert visualize.main([str(path), str(target), *SMALL]) == 1
    out, err = capsys.readouterr()
    reasons = {
        "sound": "no video stream",
        "single frame": "fewer than two frames",
        "truncated": "truncated",
        "missing": "No such file",
        "no folder": "File exists",
    }
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("error: ") and str(path) in err and reasons[kind] in err
    assert not list(tmp_path.rglob("*flow.mp4*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--flow_type", "farneback"], "invalid choice: 'farneback' (choose from"),
        (["--flow-type", "raft", "--checkpoint", "no.pth"], "flow_checkpoint=no.pth: no such file"),
        (["--smaller-edge", "64"], "--smaller-edge 64: must be 128 or more"),
        (["--longest", "0"], "--longest 0: must be above 0"),
        (["--fps", "0"], "--extraction-fps=0: must be from 0.001"),
        (["--start", "2", "--end", "1"], "the start must be 0 or more, and the end after the start"),
        (["--sped", "2"], "unrecognized arguments: --sped 2"),
    ],
)
def test_wrong_options_are_reported_in_one_line(
    options: list[str], message: str, clip: Path, tmp_path: Path, capsys
) -> None:
    assert visualize.main([str(clip), str(tmp_path / "flow.mp4"), *options]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line
    assert not (tmp_path / "flow.mp4").exists()


def test_a_clip_or_folder_is_not_overwritten(clip: Path, capsys) -> None:
    before = clip.read_bytes()
    assert visualize.main([str(clip), str(clip.parent)]) == 2
    assert "a folder; name the video in it" in capsys.readouterr().err
    assert visualize.main([str(clip), str(clip.parent / "." / clip.name)]) == 2
    assert "would replace the clip" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_failed_download_is_reported_in_one_line(clip: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch_zoo.utils.downloads.TIMEOUT_SECONDS", 0.001)
    assert visualize.main([str(clip), str(tmp_path / "flow.mp4"), "--flow-type", "raft"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "cannot download" in line and "flow_checkpoint=PATH" in line
