"""Argparse spellings, and texts that Hydra's grammar has its own ideas about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from torch_zoo.utils.terminal import checks, command_lines, flags, grammar
from torch_zoo.utils.terminal.catalogue import CONFIGS, Catalogue
from torch_zoo.utils.types import UsageError


def understood(*arguments: str) -> dict[str, object]:
    """What the words on a command line come to, all of Hydra and OmegaConf included."""
    overrides = flags.translate(("feature_type=vggish", *arguments), Catalogue()).overrides
    checks.check_words(overrides, Catalogue())
    line = command_lines.of_one_run(overrides, Catalogue())
    checks.check(line, Catalogue())
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("config", line)
    return dict(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]


PATHS = ["a b.mp4", "c[1]=2.mp4", "it's.mp4", "100%, really.mp4", "${HOME}.mp4", "a\\", "null", "1e3", "~x", "(1).mp4"]


def test_argparse_style() -> None:
    words = "--feature_type vggish --device_ids 0 1 --on_extraction save_numpy --keep_frames --hop_seconds 0.48".split()
    assert flags.translate(words, Catalogue()).overrides == (
        "feature_type=vggish",
        "device_ids=[0,1]",
        "on_extraction=save_numpy",
        "keep_tmp_files=true",
        "hop_seconds=0.48",
    )
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
        (["device=cuda:1"], {"device": "cuda", "device_ids": [1]}),
        (['device="cuda:0"'], {"device": "cuda", "device_ids": [0]}),
        (["--device", "cuda:12"], {"device": "cuda", "device_ids": [12]}),
        (["device=cuda"], {"device": "cuda", "device_ids": None}),
        (["--device_ids", "0,2"], {"device_ids": [0, 2]}),
        (["--device_ids", "[0,2]"], {"device_ids": [0, 2]}),
        (["--pca_params", "1e3", "--pooling", "null"], {"pca_params": "1e3", "pooling": None}),
    ],
)
def test_other_ways_to_write_flags(words: Sequence[str], expected: dict[str, object]) -> None:
    assert understood(*words).items() >= expected.items()


@pytest.mark.parametrize("path", ["/x/a (1).mp4", "a = b.mp4", "ä ö.mp4", "it's.mp4", "50%.mp4", "a&b;c.mp4", "a  b"])
def test_unquoted_path_is_one_path(path: str) -> None:
    assert understood(f"video_paths={path}")["video_paths"] == path


def test_options_of_hydra_pass() -> None:
    words = ["--config-dir", "my conf", "--cfg", "job", "-cd=other", "hydra.verbose=true"]
    passed = ("--config-dir", "my conf", "--cfg", "job", "-cd", "other")
    assert flags.translate(words, Catalogue()) == flags.CommandLine(passed, ("hydra.verbose=true",))
    words = ["--video_paths", "a.mp4", "-cd", "conf"]
    assert flags.translate(words, Catalogue()) == flags.CommandLine(("-cd", "conf"), ("video_paths=['a.mp4']",))
    assert flags.translate(["--help=vggish"], Catalogue()) == flags.CommandLine(("--help",), ("vggish",))
    typed = flags.translate(["--feature_type", "vggish", "-h"], Catalogue())
    assert typed == flags.CommandLine(("-h",), ("feature_type=vggish",))
    assert typed.has("--help", "-h")
    assert not typed.has("--version")


def test_flag_with_nearest_spelling() -> None:
    with pytest.raises(UsageError, match="--device_id: there is no such option; did you mean --device_ids"):
        flags.translate(["--device_id", "0"], Catalogue())


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, max_size=3))
@example(["\\"])
@example(["\\'"])
@example(["${x}", "\\${x}", "a\\\\${x}'"])
@example(["a\nb", "\t", " "])
def test_any_text_survives_quoting(texts: list[str]) -> None:
    override = grammar.parse(f"video_paths=[{','.join(map(grammar.quote, texts))}]")
    config = OmegaConf.create({"video_paths": override.value()})
    assert OmegaConf.to_container(config, resolve=True)["video_paths"] == texts  # type: ignore[index,call-overload]


def test_list_file_with_a_strange_name(tmp_path: Path) -> None:
    assert understood("--file_with_video_paths", str(tmp_path / "a=[b] c.txt"))["file_with_video_paths"] == str(
        tmp_path / "a=[b] c.txt"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fps_filter=timestamps", "fps_method=select"),
        ("fps_filter=ffmpeg", "fps_method=reencode"),
        ("fps_method='ffmpeg'", "fps_method=reencode"),
        ("colours=tagged", "color_matrix=tagged"),
        ("layout=demo", "record_fields=embeddings"),
        ("layout=audioset", "record_fields=audioset"),
        ("show_kinetics_pred=true", "show_pred=true"),
        ("keep_frames=true", "keep_tmp_files=true"),
        ("checkpoint=demo", "checkpoint=demo"),
    ],
)
def test_old_names_are_accepted_with_a_notice(old: str, new: str, caplog: pytest.LogCaptureFixture) -> None:
    name, _, value = old.partition("=")
    for words in ([old], [f"--{name}", value.strip("'")]):
        caplog.clear()
        assert flags.translate(words, Catalogue()).overrides == (new,)
        assert bool(caplog.messages) == (old != new)
        assert all(" is now called " in message for message in caplog.messages)


def test_a_sweep_is_its_command_lines() -> None:
    assert grammar.combinations(["a=1,2", "b=[3,4]", "c=range(0,2)"]) == [
        ["a=1", "b=[3,4]", "c=0"],
        ["a=1", "b=[3,4]", "c=1"],
        ["a=2", "b=[3,4]", "c=0"],
        ["a=2", "b=[3,4]", "c=1"],
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["name_pattern={name}"], {"name_pattern": "{name}"}),
        (["name_pattern={key}/{name} (x)"], {"name_pattern": "{key}/{name} (x)"}),
        (["--name_pattern", "{name}_{key}"], {"name_pattern": "{name}_{key}"}),
        (["--keys", "rgb", "flow"], {"keys": ["rgb", "flow"]}),
        (["keys={rgb: features}"], {"keys": {"rgb": "features"}}),
        (["keys={rgb:features,flow:x}"], {"keys": {"rgb": "features", "flow": "x"}}),
    ],
)
def test_patterns_and_keys_need_no_quotes_but_the_shells(words: Sequence[str], expected: dict[str, object]) -> None:
    assert understood("on_extraction=save_npz", *words).items() >= expected.items()


def each_run(*arguments: str) -> list[list[str]]:
    return command_lines.of_each_run(flags.translate(arguments, Catalogue()), Catalogue())


def test_several_extractors_are_their_command_lines_with_their_own_options() -> None:
    assert each_run("--feature_type", "i3d", "vggish", "--stack_size", "16", "pooling=mean", "seed=1") == [
        ["feature_type=i3d", "stack_size=16", "seed=1"],
        ["feature_type=vggish", "pooling=mean", "seed=1"],
    ]
    assert each_run("-m", "feature_type=i3d,vggish", "hop_seconds=0.48,0.96") == [
        ["feature_type=i3d"],
        ["feature_type=vggish", "hop_seconds=0.48"],
        ["feature_type=vggish", "hop_seconds=0.96"],
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["feature_type=i3d", "feature_type=vggish"],
            "last counts: feature_type=vggish; for a run with each: feature_t",
        ),
        (["on_extraction=print", "on_extraction=save_npz"], "on_extraction is given twice, and the last counts"),
        (
            ["--video_paths", "a", "--video_paths", "b"],
            "['b']; a list is written video_paths=\"[a,b]\" or --video_paths",
        ),
        (["seed=1", "seed=2"], ""),
        (["video_paths=a", "video_paths=a"], ""),
    ],
)
def test_of_what_is_given_twice_the_last_counts_with_a_notice(
    words: list[str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    flags.translate(words, Catalogue())
    assert said in caplog.text
    assert bool(caplog.text) is bool(said)


def test_a_sweep_over_devices() -> None:
    assert each_run("-m", "feature_type=vggish", "device=cuda:0,cuda:1") == [
        ["feature_type=vggish", "device=cuda", "device_ids=[0]"],
        ["feature_type=vggish", "device=cuda", "device_ids=[1]"],
    ]


def test_a_layout_is_that_of_the_extractor() -> None:
    def chosen(*words: str) -> list[str]:
        return command_lines.of_one_run(words, Catalogue())

    assert chosen("feature_type=i3d", "layout=bmt") == ["feature_type=i3d", "layout=bmt/i3d"]
    assert chosen("layout=bmt", "feature_type=vggish") == ["layout=bmt/vggish", "feature_type=vggish"]
    assert chosen("feature_type=i3d", "layout=null") == ["feature_type=i3d"]
    for words in (["feature_type=i3d"], ["layout=bmt"], ["feature_type=i3d", "layout=bmt/i3d"]):
        assert chosen(*words) == words
    with pytest.raises(UsageError, match=r"layout=bmt: there is no .*vggsound \(there are: moment_detr, opentad\)"):
        chosen("feature_type=vggsound", "layout=bmt")


def test_a_layout_brings_the_options_of_its_sink() -> None:
    words = command_lines.of_one_run(["feature_type=vggish", "layout=opentad", "keys=[vggish]"], Catalogue())
    checks.check(words, Catalogue())
    with pytest.raises(UsageError, match="keys: not an option of on_extraction=print; it belongs to on"):
        checks.check(["feature_type=vggish", "keys=[vggish]"], Catalogue())
