"""The same command again goes on where it stopped, and never mixes features of different settings."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from command import MUSIC, ROOT, ROUNDING, SAMPLES, SPEECH, Result, run


@pytest.fixture
def output_path(saved: Path, tmp_path: Path) -> Path:
    """A copy of the saved features of both clips."""
    shutil.copytree(saved.parent, tmp_path / "output")
    return tmp_path / "output"


def again(output_path: Path, *options: str) -> Result:
    return run("feature_type=vggish", *SAMPLES, "on_extraction=save_numpy", f"output_path={output_path}", *options)


def times(output_path: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (output_path / "vggish").glob("*.npy")}


def test_what_is_there_is_skipped_and_what_is_damaged_is_done_again(output_path: Path) -> None:
    before = times(output_path)
    result = again(output_path)
    assert (result.code, times(output_path)) == (0, before)
    assert "0 done, 2 skipped" in result.stderr

    damaged = output_path / "vggish/music_vggish.npy"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    result = again(output_path, "batch_size=64")
    assert "1 done, 1 skipped" in result.stderr
    np.testing.assert_allclose(np.load(damaged), np.load(BytesIO(whole)), rtol=0, atol=ROUNDING)
    assert times(output_path)["speech_vggish.npy"] == before["speech_vggish.npy"]


def test_other_settings_are_refused_and_the_difference_named(output_path: Path) -> None:
    before = times(output_path)
    for options in (["hop_seconds=0.48"], ["hop_seconds=0.48", "overwrite=true", f"video_paths={SPEECH}"]):
        if "overwrite=true" in options:  # music would stay behind
            result = run(
                "feature_type=vggish",
                "checkpoint=random",
                "device=cpu",
                "on_extraction=save_numpy",
                f"output_path={output_path}",
                *options,
            )
        else:
            result = again(output_path, *options)
        assert (result.code, result.stdout) == (2, "")
        assert "hop_seconds=0.96 (now 0.48)" in result.stderr
        assert len(result.stderr.splitlines()) == 1
    result = again(output_path, "seed=1")
    assert "checkpoint=random, seed 0 (now random, seed 1)" in result.stderr
    assert times(output_path) == before


def test_overwriting_all_sources_with_other_settings(output_path: Path) -> None:
    before = times(output_path)
    result = again(output_path, "overwrite=true", "activation=none")
    assert result.code == 0, result.stderr
    assert "2 done, 0 skipped" in result.stderr
    assert all(time > before[name] for name, time in times(output_path).items())
    assert np.load(output_path / "vggish/speech_vggish.npy").min() < 0
    assert yaml.safe_load((output_path / "vggish/extraction.yaml").read_text())["activation"] == "none"


def test_another_file_of_the_same_name_fails_and_both_are_named(output_path: Path, tmp_path: Path) -> None:
    before = times(output_path)
    other = tmp_path / "speech.mp4"
    shutil.copy(ROOT / MUSIC, other)
    options = "feature_type=vggish checkpoint=random device=cpu on_extraction=save_numpy".split()
    result = run(*options, f"output_path={output_path}", f"video_paths={other}")
    assert result.code == 1, result.stderr
    assert "0 done, 0 skipped, 0 empty, 1 failed" in result.stderr
    assert f"{other}: {output_path / 'vggish'} holds speech made from {SPEECH}" in result.stderr
    assert times(output_path) == before
    shutil.copy(ROOT / SPEECH, other)  # the same file elsewhere
    result = run(*options, f"output_path={output_path}", f"video_paths={other}")
    assert "0 done, 1 skipped" in result.stderr


def test_features_that_were_adopted_stay_adopted(output_path: Path) -> None:
    """Also if there is nothing left to extract, so that no worker starts."""
    for record in ("extraction.yaml", "sources.jsonl"):
        (output_path / "vggish" / record).unlink()
    refused = again(output_path)
    assert (refused.code, "adopt=true" in refused.stderr) == (2, True)
    for adopt in ("adopt=true", "adopt=false"):
        result = again(output_path, adopt)
        assert (result.code, "0 done, 2 skipped" in result.stderr) == (0, True), result.stderr
