"""--help, --cfg and shell completion, and the config files behind them."""

from __future__ import annotations

import os
import re
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import pytest
from command import ROOT, run
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

import torch_zoo
from torch_zoo.utils import options
from torch_zoo.utils.retry import Retry
from torch_zoo.utils.runs.recording import Recording
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.terminal import help
from torch_zoo.utils.terminal.catalogue import CONFIGS, GROUPS, PRESETS, Catalogue
from torch_zoo.utils.terminal.known import CLASSES
from torch_zoo.utils.terminal.progress import Reporting
from torch_zoo.utils.types import UsageError

CATALOGUE = Catalogue()
PAIRS = [(group, choice) for group in GROUPS for choice in CATALOGUE.choices(group)]
EXTRACTORS = CATALOGUE.choices("feature_type")


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def composed(group: str, choice: str) -> tuple[DictConfig, type]:
    """The config with one choice made, and the class that takes it."""
    overrides = ["feature_type=vggish", f"{group}={choice}"] if group != "feature_type" else [f"{group}={choice}"]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("config", overrides)
    return config, get_class(config[{"preset": "feature_type", "layout": "on_extraction"}.get(group, group)]._target_)


def flat(config: DictConfig) -> dict[str, Any]:
    return {**config, **config.engine, **config.on_extraction, "folder": "x", "checkpoint": "random"}


@pytest.mark.parametrize(("group", "choice"), PAIRS)
def test_every_choice_is_instantiated(group: str, choice: str) -> None:
    config, target = composed(group, choice)
    assert isinstance(options.build(target, flat(config)), target)


@pytest.mark.parametrize(("group", "choice"), [pair for pair in PAIRS if pair[0] not in PRESETS])
def test_defaults_in_the_config_are_those_of_the_class(group: str, choice: str) -> None:
    config, target = composed(group, choice)
    for each in (target, Inputs, Recording, Reporting, Retry, options.Run):
        for field in dataclass_fields(each):
            if field.name in config:
                assert config[field.name] == field.default, field.name


@pytest.mark.parametrize("choice", EXTRACTORS)
def test_own_options_are_taken_and_what_is_taken_is_an_option(choice: str) -> None:
    _, extractor = composed("feature_type", choice)
    own = {option.name for option in CATALOGUE.of_choice("feature_type", choice)} - set(GROUPS)
    assert own <= set(options.fields(extractor))
    assert set(options.fields(extractor)) <= own | {option.name for option in CATALOGUE.common()} | {"folder"}


def test_common_options_are_taken_by_someone() -> None:
    classes = [composed(*pair)[1] for pair in PAIRS]
    takers = (*classes, Inputs, Recording, Reporting, Retry, options.Run)
    taken = {name for target in takers for name in options.fields(target)}
    assert {option.name for option in CATALOGUE.common()} - set(GROUPS) <= taken


@pytest.mark.parametrize(("group", "choice"), PAIRS)
def test_help_names_the_choices_of_every_option(group: str, choice: str) -> None:
    _, target = composed(group, choice)
    texts = {option.name: option.text for option in (*CATALOGUE.common(), *CATALOGUE.of_choice(group, choice))}
    for each in (target, Reporting):
        for name, hint in options.fields(each).items():
            for value in options.choices(hint) if name in texts else ():
                assert re.search(rf"\b{value}\b", texts[name]), (name, value)


def titles(text: str) -> list[str]:
    return [line.partition(":")[0] for line in text.splitlines() if re.match(r"\w+=\w+|Common options", line)]


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def test_help_alone_is_an_overview() -> None:
    shown = help.text(CATALOGUE, [])
    assert titles(shown) == [*(f"{group}=NAME" for group in CLASSES), "Common options"]
    for option in CATALOGUE.common():
        assert option.name in GROUPS or f" {option.name} {option.text} [" in unwrapped(shown)
    for group in CLASSES:
        for choice, headline in CATALOGUE.choices(group).items():
            assert f" {choice} {headline} " in unwrapped(shown)
    assert "  layout                bmt | mdvc | " in shown
    assert shown.count("python main.py") == 3
    assert max(map(len, shown.splitlines())) <= 120
    assert len(shown.splitlines()) <= 100  # two screens


def test_help_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, help.text(CATALOGUE, ["vggish"]).splitlines())) <= 80


@pytest.mark.parametrize(("group", "choice"), [(group, choice) for group, choice in PAIRS if group in CLASSES])
def test_help_of_a_choice_shows_its_options_and_no_others(group: str, choice: str) -> None:
    shown = help.text(CATALOGUE, ["video_paths=./sample", f"{group}={choice}"])
    assert titles(shown) == [f"{group}={choice}"]
    named = re.findall(r"^  (\S+) ", shown, re.MULTILINE)
    assert named == [option.name for option in CATALOGUE.of_choice(group, choice)]
    assert "--help all" in shown.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["vggsound"], ["feature_type=vggsound"]),
        (["feature_type=i3d,vggish", "on_extraction=save_npz"], ["feature_type=i3d", "feature_type=vggish", "on_ex"]),
        (["hop_seconds"], ["feature_type=vggish", "feature_type=vggsound"]),
        (["device"], ["Common options"]),
        (["on_extraction"], ["on_extraction=NAME"]),
        (["preset"], ["preset=NAME"]),
    ],
)
def test_help_of_a_name(words: list[str], expected: list[str]) -> None:
    for title, beginning in zip(titles(help.text(CATALOGUE, words)), expected, strict=True):
        assert title.startswith(beginning)


def test_help_of_an_option_shows_it_alone() -> None:
    assert set(re.findall(r"^  (\S+) ", help.text(CATALOGUE, ["keys"]), re.MULTILINE)) == {"keys"}


def test_help_of_all_shows_every_option_and_choice() -> None:
    shown = help.text(CATALOGUE, ["all"])
    assert {option for option in CATALOGUE.all_names() if f"  {option} " not in shown} == set(CLASSES)
    for _, choice in PAIRS:
        assert f" {choice} " in shown


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("vgish", "--help vgish: nothing is called so; did you mean vggish?"),
        ("feature_type=vgish", "feature_type=vgish: there is no such choice; did you mean vggish?"),
    ],
)
def test_help_of_what_does_not_exist(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        help.text(CATALOGUE, [word])


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_goes_to_stdout_and_leaves_nothing_behind(flag: str) -> None:
    before = set(os.listdir(ROOT))
    result = run(flag, "vggish")
    assert (result.code, result.stderr) == (0, "")
    assert "hop_seconds" in result.stdout
    assert "\x1b" not in result.stdout
    assert set(os.listdir(ROOT)) == before


def test_help_has_colors_where_they_are_asked_for() -> None:
    assert "  \x1b[36mhop_seconds\x1b[0m " in run("--help", "vggish", environment={"FORCE_COLOR": "1"}).stdout


def test_version() -> None:
    assert run("--version", "feature_type=vggish").stdout == f"torch-zoo {torch_zoo.__version__}\n"


def test_cfg_prints_the_composed_config() -> None:
    result = run("feature_type=vggish", "hop_seconds=0.48", "--cfg", "job")
    assert result.code == 0
    printed = OmegaConf.create(result.stdout)
    assert printed.hop_seconds == 0.48
    assert printed.resampler == "resampy_0_2"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("feature_type=", {f"feature_type={extractor}" for extractor in EXTRACTORS}),
        ("feature_type=vggish on_extraction=save_pi", {"on_extraction=save_pickle"}),
        ("feature_type=vggish hop", {"hop_seconds="}),
    ],
)
def test_shell_completion(typed: str, offered: set[str]) -> None:
    line = f"python main.py {typed}"
    result = run("-sc", "query=bash", environment={"COMP_LINE": line, "COMP_POINT": str(len(line))})
    assert set(result.stdout.split()) == offered


def test_completion_script_is_printed() -> None:
    result = run("-sc", "install=bash")
    assert "hydra_bash_completion python" in result.stdout


def test_every_config_file_explains_itself() -> None:
    for group, choice in PAIRS:
        assert CATALOGUE.choices(group)[choice], Path(group, choice)
