"""An extractor is two files, which may lie outside the checkout: the skeleton in CONTRIBUTING.md, as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from command import ROOT, Result, run


def extract(outside: Path, *arguments: object) -> Result:
    return run("--config-dir", outside / "configs", *arguments, environment={"PYTHONPATH": str(outside)})


def test_it_runs_and_saves(outside: Path) -> None:
    """The root mean square of a square wave is its height."""
    options = (f"video_paths={outside / 'wave.wav'}", "device=cpu", "on_extraction=save_numpy")
    result = extract(outside, "feature_type=loudness", *options, f"output_path={outside}")
    assert result.code == 0, result.stderr
    assert np.allclose(np.load(outside / "loudness/wave_rms.npy"), [[1 / 8], [2 / 8], [3 / 8]], atol=1e-4)
    again = extract(outside, "--feature_type", "loudness", *options, "--output_path", outside)
    assert "0 done, 1 skipped" in again.stderr


def test_it_can_be_probed(outside: Path) -> None:
    result = extract(outside, "feature_type=loudness", f"video_paths={outside / 'wave.wav'}", "dry_run=true")
    assert (result.code, "to extract: 0:00:04 of media, 3 rows" in result.stdout) == (0, True)


def test_its_options_are_checked_and_shown(outside: Path) -> None:
    def said(*arguments: str) -> str:
        result = extract(outside, "feature_type=loudness", *arguments)
        assert (result.code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        return line

    source = f"video_paths={outside / 'wave.wav'}"
    assert "did you mean window_seconds?" in said(source, "windo_seconds=2")
    assert "window_seconds=two: must be a number" in said(source, "window_seconds=two")
    assert "window_seconds=0: must be above 0" in said(source, "--window_seconds", "0")
    assert "precision=bf16: not an option of feature_type=loudness" in said(source, "precision=bf16")
    assert "--window_seconds: no value is given" in said(source, "--window_seconds")
    shown = extract(outside, "--help", "feature_type=loudness").stdout
    assert "  window_seconds        length of a window, s [1.0]" in shown
    assert "Loudness: sound" in extract(outside, "--help").stdout


def test_a_class_that_is_not_found(outside: Path) -> None:
    result = run("--config-dir", outside / "configs", "feature_type=loudness", f"video_paths={outside / 'wave.wav'}")
    assert result.code == 2
    assert result.stderr == (
        "error: feature_type=loudness: can't import loudness.Loudness: No module named 'loudness'; "
        "is its folder in PYTHONPATH?\n"
    )


def test_a_sink_has_options_of_its_own_and_may_not_share_those_of_the_extractor(outside: Path) -> None:
    folder = outside / "configs/on_extraction"
    folder.mkdir()
    (outside / "sinks.py").write_text(
        "from dataclasses import dataclass\n"
        "from torch_zoo.utils.types import Features, Sink\n\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Count(Sink):\n"
        "    window_seconds: float = 0\n\n"
        "    def write(self, features: Features) -> str:\n"
        "        return f'{len(features.times)} rows, {self.window_seconds:g}'\n"
    )
    (folder / "apart.yaml").write_text("_target_: sinks.Count\nwindow_seconds: 5.0\n")
    (folder / "clash.yaml").write_text(
        "# @package _global_\non_extraction:\n  _target_: sinks.Count\nwindow_seconds: 5\n"
    )
    arguments = ("feature_type=loudness", f"video_paths={outside / 'wave.wav'}", "device=cpu", "window_seconds=0.5")
    apart = extract(outside, *arguments, "on_extraction=apart", "on_extraction.window_seconds=4")
    assert (apart.code, apart.stdout) == (0, "7 rows, 4\n"), apart.stderr
    refused = extract(outside, *arguments, "on_extraction=clash")
    assert refused.code == 2
    assert "feature_type=loudness and on_extraction=clash both define the option window_seconds" in refused.stderr


def test_several_extractors_run_one_after_the_other_and_the_worst_counts(outside: Path) -> None:
    yaml = outside / "configs/feature_type/loudness.yaml"
    yaml.with_stem("finer").write_text(yaml.read_text().replace("window_seconds: 1.0", "window_seconds: 0.5"))
    yaml.with_stem("wrong").write_text(yaml.read_text().replace("window_seconds: 1.0", "window_seconds: 0"))
    options = (f"video_paths={outside / 'wave.wav'}", "device=cpu", "on_extraction=save_numpy")
    both = extract(outside, "feature_type=loudness,finer", *options, f"output_path={outside / 'both'}")
    assert both.code == 0, both.stderr
    titles = [line for line in both.stderr.splitlines() if line.startswith("feature_type=")]
    assert titles == ["feature_type=loudness", "feature_type=finer"]
    lengths = [len(np.load(outside / "both" / name / "wave_rms.npy")) for name in ("loudness", "finer")]
    assert lengths == [3, 7]

    (outside / "both/finer/wave_rms.npy").unlink()
    yaml.with_stem("changed").write_text(yaml.read_text().replace("window_seconds: 1.0", "window_seconds: 2"))
    (outside / "both/changed").symlink_to(outside / "both/loudness")
    worst = extract(outside, "feature_type=changed,finer", *options, f"output_path={outside / 'both'}")
    assert worst.code == 2
    assert "holds features made with window_seconds=1" in worst.stderr
    assert (outside / "both/finer/wave_rms.npy").exists()

    none = extract(outside, "feature_type=loudness,wrong", *options, f"output_path={outside / 'none'}")
    assert (none.code, none.stderr) == (2, "error: window_seconds=0: must be above 0\n")
    assert not (outside / "none").exists()


def test_a_sweep_is_several_runs_and_leaves_nothing_behind(outside: Path) -> None:
    before = {path.name for path in ROOT.iterdir()}
    arguments = ("feature_type=loudness", f"video_paths={outside / 'wave.wav'}", "device=cpu")
    result = extract(outside, "-m", *arguments, "on_extraction=save_numpy,save_pickle", f"output_path={outside / 'm'}")
    assert result.code == 0, result.stderr
    assert {path.suffix for path in outside.glob("m/loudness/wave_rms.*")} == {".npy", ".pkl"}
    composed = extract(outside, "-m", "feature_type=loudness,vggish", "--cfg", "job").stdout
    targets = re.findall(r"^feature_type:\n  _target_: .*\.(\w+)$", composed, re.MULTILINE)
    assert targets == ["Loudness", "VGGishExtractor"]
    assert {path.name for path in ROOT.iterdir()} == before
