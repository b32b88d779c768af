"""Each guide works from top to bottom: its commands and its Python in order, in one folder, as a reader follows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ROOT
from documentation import (
    blocks,
    commands,
    execute,
    page,
    prepare,
    use_random_weights_if_there_are_no_others,
    without_comment,
)
from sound_classes import write_classes
from video_maker import gray, write_video

GUIDES = sorted(path.stem for path in (ROOT / "docs" / "guides").glob("*.md"))

# What takes minutes on a CPU is done on less: RAFT takes 5 s per pair of frames, and TV-L1 2 s where much moves.
QUICK = {
    "feature_type=i3d": "flow_type=tvl1 extraction_fps=10 stack_size=10 step_size=10 video_paths=./short",
    "warm_start train": "--checkpoint random --steps 20",
    "vggsound.train": "--window-seconds 0.1 --epochs 1 --batch-size 8",
}

MADE = {  # by each guide
    "audio_quality": ["reference/vggish/embeddings.parquet", "generated/vggish/embeddings.parquet"],
    "captioning": [
        "features/vggish/speech.npy",
        "features/i3d/speech_rgb.npy",
        "features/i3d/speech_flow.npy",
        "features_2s/i3d/rgb/music.npz",
        "output/vggish/speech_0_4.8_vggish.npy",
        "output/vggish/speech_10_15_vggish.npy",
    ],
    "fine_tuning": ["output/warm_start/model.pt", "output/warm_start/loss.csv", "output/vggsound/predictions.csv"],
    "million_clips": ["output/vggish/runs/report.html"],
    "music_map": ["songs/vggish/embeddings.parquet", "map.png"],
    "several_machines": ["output/vggish/speech_vggish.npy", "output/vggish/music_vggish.npy"],
}


def quick(command: str) -> str:
    for part, options in QUICK.items():
        if part in command:
            names = {option.partition("=")[0] for option in options.split()}
            kept = [word for word in command.split() if word.partition("=")[0] not in names]
            command = " ".join([*kept, options])
    return command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    use_random_weights_if_there_are_no_others(monkeypatch)
    write_classes(tmp_path / "my_sounds", 6, 1.0, names=("hiss", "whistle"))
    (tmp_path / "short").mkdir()
    for name in ("speech", "music"):
        write_video(tmp_path / "short" / f"{name}.mp4", 12, rate=10, picture=gray)
    return tmp_path


@pytest.mark.timeout(600)
@pytest.mark.parametrize("guide", GUIDES)
def test_guide_works_as_written(guide: str, folder: Path) -> None:
    text = page(f"docs/guides/{guide}.md")
    prepare(folder, text)
    names: dict[str, Any] = {}
    for language, content in blocks(text):
        if language == "python":
            exec(content, names)
            continue
        for line in commands(content):
            expected = re.search(r"  # exit code (\d)", line)
            result = execute(quick(without_comment(line)), folder)
            assert result.returncode == int(expected[1] if expected else 0), f"{line}\n{result.stderr}"
    assert [path for path in MADE[guide] if not (folder / path).is_file()] == []
    CHECKS.get(guide, lambda _: None)(names)


def captioning(names: dict[str, Any]) -> None:
    assert (names["rgb"].shape[1], names["sound"].shape[1]) == (1024, 8192)
    np.testing.assert_allclose(names["features"].times[:2], [[0, 0.96], [0.96, 1.92]])


def million_clips(names: dict[str, Any]) -> None:
    table = names["table"]
    assert set(table["name"]) == {"speech_0_10", "speech_10_end", "music", "late"}
    assert sorted(names["windows"].rows()) == [("music", 24), ("talk", 20)]
    assert not Path("output/vggish/failures.csv").exists()


def music_map(names: dict[str, Any]) -> None:
    assert names["songs"].shape == (2, 128)
    np.testing.assert_allclose(np.diag(names["cosines"]), 1, rtol=1e-5)
    assert names["most_alike"].iloc[0] == names["table"]["name"][0]


def audio_quality(names: dict[str, Any]) -> None:
    for mean, covariance in (names["reference"], names["generated"]):
        assert (mean.shape, covariance.shape) == ((128,), (128, 128))
        assert np.isfinite(covariance).all() and mean.min() < 0  # no ReLU


CHECKS = {each.__name__: each for each in (audio_quality, captioning, million_clips, music_map)}
