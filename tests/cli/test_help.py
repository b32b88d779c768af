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
from torch_zoo.utils.runs.recording import Recording
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.terminal import help
from torch_zoo.utils.terminal.catalogue import CONFIGS, GROUPS, PRESETS, Catalogue
from torch_zoo.utils.terminal.progress import Reporting

CATALOGUE = Catalogue()
PAIRS = [(group, choice) for group in GROUPS for choice in CATALOGUE.choices(group)]
EXTRACTORS = CATALOGUE.choices("feature_type")


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
    for each in (target, Inputs, Recording, Reporting, options.Run):
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
    takers = (*classes, Inputs, Recording, Reporting, options.Run)
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


def test_help_shows_every_option_with_its_default_and_every_choice() -> None:
    shown = help.text(CATALOGUE, {})
    text = " ".join(shown.split())
    for option in CATALOGUE.common():
        assert f" {option.name} {option.text} [" in text
    for _, choice in PAIRS:
        assert f" {choice} " in text
    assert text.count("python main.py") == 3
    assert max(map(len, shown.splitlines())) <= 120


@pytest.mark.parametrize("choice", EXTRACTORS)
def test_help_of_an_extractor_shows_its_options_and_no_others(choice: str) -> None:
    titles = [line for line in help.text(CATALOGUE, {"feature_type": choice}).splitlines() if line[:1].strip()]
    assert titles[:2] == ["All extractors", f"feature_type={choice}"]
    assert len(titles) == 3


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_goes_to_stdout_and_leaves_nothing_behind(flag: str) -> None:
    before = set(os.listdir(ROOT))
    result = run(flag)
    assert (result.code, result.stderr) == (0, "")
    assert "hop_seconds" in result.stdout
    assert set(os.listdir(ROOT)) == before


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
