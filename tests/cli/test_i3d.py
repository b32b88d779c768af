"""feature_type=i3d as a user runs it: files, skipping, old spellings, and a line for each thing that is wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from command import Result, run, run_each
from formula import wave
from video_maker import LOSSLESS, opencv, write_video

STACKS = ("stack_size=10", "step_size=10", "device=cpu")
QUICK = ("feature_type=i3d", "checkpoint=random", "flow_type=tvl1", *STACKS, "on_extraction=save_numpy")
KEYS = ("rgb", "flow", "fps", "timestamps_ms")


def texture(index: int, width: int, height: int) -> np.ndarray:
    """Smooth, moving 3 px to the right and 2 px down each frame."""
    return wave(height, width, 2 * index, 3 * index).transpose(1, 2, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two stacks of 10, one of 10 frames, which lacks the further one, and a sound."""
    folder = tmp_path_factory.mktemp("media")
    write_video(folder / "clip.mkv", 21, size=(256, 256), picture=texture, **LOSSLESS)
    write_video(folder / "short.mkv", 10, size=(64, 48), **LOSSLESS)
    soundfile.write(folder / "sound.wav", np.zeros(8000), 8000)
    return folder


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("output")


@pytest.fixture(scope="module")
def extracted(media: Path, output: Path) -> Result:
    return run(*QUICK, f"video_paths={media}", f"output_path={output}")


def loaded(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.load(path) for path in folder.glob("*.npy")}


def test_each_array_has_a_file(extracted: Result, output: Path) -> None:
    assert extracted.stdout == ""
    arrays = loaded(output / "i3d")
    assert set(arrays) == {f"{name}_{key}.npy" for name in ("clip", "short") for key in KEYS}
    for stream in ("rgb", "flow"):
        assert (arrays[f"clip_{stream}.npy"].shape, arrays[f"clip_{stream}.npy"].dtype) == ((2, 1024), np.float32)
        assert arrays[f"clip_{stream}.npy"].std() > 0
    assert arrays["clip_fps.npy"] == 25 and arrays["clip_fps.npy"].dtype == np.float64
    np.testing.assert_allclose(arrays["clip_timestamps_ms.npy"], [400, 800])  # of frames 10 and 20


def test_fewer_frames_than_a_stack_are_empty_with_a_way_out(extracted: Result, output: Path) -> None:
    arrays = loaded(output / "i3d")
    assert [arrays[f"short_{key}.npy"].shape for key in KEYS] == [(0, 1024), (0, 1024), (), (0,)]
    [line] = [line for line in extracted.stderr.splitlines() if line.startswith("empty: ")]
    assert "short.mkv: fewer than 11 frames" in line and "last_window=cycle" in line


def test_a_file_without_pictures_fails_alone(extracted: Result, media: Path) -> None:
    assert extracted.code == 1
    assert "1 done, 0 skipped, 1 empty, 1 failed" in extracted.stderr
    assert f"failed: {media}/sound.wav: no video stream (audio only)" in extracted.stderr
    assert "Traceback" not in extracted.stderr


def test_the_same_command_again_skips_what_is_there(extracted: Result, media: Path, output: Path) -> None:
    again = run(*QUICK, f"video_paths=[{media}/clip.mkv,{media}/short.mkv]", f"output_path={output}")
    assert again.code == 0
    assert "0 done, 2 skipped" in again.stderr


def test_old_spellings(media: Path, tmp_path: Path, extracted: Result, output: Path) -> None:
    """RGB alone, with its predictions on stdout and the frames kept."""
    words = "--feature_type i3d --checkpoint random --streams rgb --stack_size 10 --step_size 10 --device cpu"
    words += " --on_extraction save_numpy --show_kinetics_pred --keep_frames --tmp_path"
    result = run(*words.split(), tmp_path / "frames", "--output_path", tmp_path, "--video_paths", media / "clip.mkv")
    assert result.code == 0, result.stderr
    arrays = loaded(tmp_path / "i3d")
    assert set(arrays) == {"clip_rgb.npy", "clip_fps.npy", "clip_timestamps_ms.npy"}
    theirs = loaded(output / "i3d")["clip_rgb.npy"]
    np.testing.assert_allclose(arrays["clip_rgb.npy"], theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())
    blocks = [line for line in result.stdout.splitlines() if "rgb: " in line]
    assert [block.partition(" s,")[0] for block in blocks] == ["clip: 0.00 - 0.40", "clip: 0.40 - 0.80"]
    assert len(result.stdout.splitlines()) == 2 * 6  # a title and five classes each
    _, _, pictures = opencv(media / "clip.mkv")
    kept = sorted((tmp_path / "frames").rglob("*.jpg"))
    assert len(kept) == len(pictures) == 21
    assert np.abs(cv2.imread(str(kept[7]))[:, :, ::-1].astype(int) - pictures[7]).mean() < 3


CLIP = (*QUICK, "video_paths=./sample/speech.mp4")
MISTAKES = {
    "too short a stack": (["stack_size=9"], "stack_size=9: I3D needs 10 frames or more"),
    "no step": (["step_size=0"], "step_size=0: must be 1 or more"),
    "unknown flow": (["flow_type=xyz"], "flow_type=xyz: must be one of raft, pwc, tvl1"),
    "unknown stream": (["streams=both"], "streams=both: must be one of rgb, flow, null"),
    "no rate": (["extraction_fps=0"], "extraction_fps=0: must be from 0.001"),
    "no flow weights": (["flow_type=raft", "flow_checkpoint=no.pth"], "flow_checkpoint=no.pth: no such file"),
    "one file for two": (["checkpoint=no.pth"], "each stream has a file of its own"),
    "no such weights": (["checkpoint=no_{stream}.pth"], "checkpoint=no_rgb.pth: no such file"),
    "option of vggish": (["hop_seconds=0.48"], "hop_seconds: not an option of feature_type=i3d; it belongs to"),
    "misspelt": (["flowtype=raft"], "did you mean flow_type?"),
}


@pytest.fixture(scope="module")
def mistaken() -> dict[str, Result]:
    return dict(zip(MISTAKES, run_each([[*CLIP, *options] for options, _ in MISTAKES.values()]), strict=True))


@pytest.mark.parametrize("case", MISTAKES)
def test_mistake_is_named_in_a_line(case: str, mistaken: dict[str, Result]) -> None:
    result = mistaken[case]
    assert (result.code, result.stdout, result.torch) == (2, "", False)
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ") and MISTAKES[case][1] in line


def test_weights_of_the_other_stream_are_named_in_a_line(media: Path, tmp_path: Path) -> None:
    import torch

    from torch_zoo.models.i3d.network import I3D

    torch.save(I3D(2).state_dict(), tmp_path / "flow.pth")
    options = ("streams=rgb", f"checkpoint={tmp_path}/flow.pth", f"output_path={tmp_path}")
    result = run("feature_type=i3d", *STACKS, *options, f"video_paths={media}/clip.mkv")
    assert (result.code, result.stdout) == (2, "")
    [line] = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert "flow.pth: not the weights of I3D: conv3d_1a_7x7.conv3d.weight is (64, 2, 7, 7, 7) instead of (64, 3" in line
    assert "Traceback" not in result.stderr
