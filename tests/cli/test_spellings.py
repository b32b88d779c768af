"""Argparse spellings, and texts that Hydra's grammar has its own ideas about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from torch_zoo.utils.terminal import catalogue, flags
from torch_zoo.utils.types import UsageError


def understood(*arguments: str) -> dict[str, object]:
    """What the words on a command line come to, all of Hydra and OmegaConf included."""
    overrides = flags.translate(arguments)
    flags.check(["feature_type=vggish", *overrides])
    with initialize_config_dir(str(catalogue.CONFIGS), version_base="1.3"):
        config = compose("config", ["feature_type=vggish", *overrides])
    return dict(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]


PATHS = ["a b.mp4", "c[1]=2.mp4", "it's.mp4", "100%, really.mp4", "${HOME}.mp4", "a\\", "null", "1e3", "~x", "(1).mp4"]


def test_argparse_style() -> None:
    words = "--feature_type vggish --device_ids 0 1 --on_extraction save_numpy --keep_frames --hop_seconds 0.48".split()
    assert flags.translate(words) == [
        "feature_type=vggish",
        "device_ids=[0,1]",
        "on_extraction=save_numpy",
        "keep_tmp_files=true",
        "hop_seconds=0.48",
    ]
    config = understood(*words, "--video_paths", *PATHS, "--show_kinetics_pred", "overwrite=true")
    assert config["video_paths"] == PATHS
    assert config["device_ids"] == [0, 1]
    assert config["keep_tmp_files"] is config["show_pred"] is config["overwrite"] is True


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--seed=3"], {"seed": 3}),
        (["--tmp-path", "x y"], {"tmp_path": "x y"}),
        (["--seed", "-1"], {"seed": -1}),
        (["--keep_tmp_files", "--overwrite"], {"keep_tmp_files": True, "overwrite": True}),
        (["--video_paths", "one.mp4"], {"video_paths": ["one.mp4"]}),
        (["--checkpoint", "1234"], {"checkpoint": "1234"}),
        (["--overwrite", "false", "seed=2"], {"overwrite": False, "seed": 2}),
        (["--video_paths=a,b.mp4"], {"video_paths": ["a,b.mp4"]}),
    ],
)
def test_other_ways_to_write_flags(words: Sequence[str], expected: dict[str, object]) -> None:
    assert understood(*words).items() >= expected.items()


@pytest.mark.parametrize("path", ["/x/a (1).mp4", "a = b.mp4", "ä ö.mp4", "it's.mp4", "50%.mp4", "a&b;c.mp4", "a  b"])
def test_unquoted_path_is_one_path(path: str) -> None:
    assert understood(f"video_paths={path}")["video_paths"] == path


def test_options_of_hydra_pass() -> None:
    words = ["--config-dir", "my conf", "--cfg", "job", "-cd=other", "hydra.verbose=true"]
    assert flags.translate(words) == words
    assert flags.translate(["--feature_type", "vggish", "-h"]) == ["feature_type=vggish", "-h"]


def test_flag_with_nearest_spelling() -> None:
    with pytest.raises(UsageError, match="--device_id: there is no such option; did you mean device_ids"):
        flags.translate(["--device_id", "0"])


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, max_size=3))
@example(["\\"])
@example(["\\'"])
@example(["${x}", "\\${x}", "a\\\\${x}'"])
@example(["a\nb", "\t", " "])
def test_any_text_survives_quoting(texts: list[str]) -> None:
    override = flags._parse(f"video_paths=[{','.join(map(flags.quote, texts))}]")
    config = OmegaConf.create({"video_paths": override.value()})
    assert OmegaConf.to_container(config, resolve=True)["video_paths"] == texts  # type: ignore[index,call-overload]


def test_list_file_with_a_strange_name(tmp_path: Path) -> None:
    assert understood("--file_with_video_paths", str(tmp_path / "a=[b] c.txt"))["file_with_video_paths"] == str(
        tmp_path / "a=[b] c.txt"
    )
