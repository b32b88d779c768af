"""From a composed config to typed objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from omegaconf import OmegaConf

from torch_zoo.utils.options import Run, build, import_target, reject_unused_options
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.types import UsageError


@dataclass(frozen=True, kw_only=True)
class Thing:
    number: int = 1
    size: float | None = None
    ids: list[int] | None = None
    color: Literal["red", "dark blue"] = "red"
    shade: Literal["light", "dark"] | None = None
    name: str = "x"
    free: Any = None


def test_takes_what_bears_the_names_of_its_fields() -> None:
    options = OmegaConf.create({"number": 2, "ids": [0, 3], "color": "dark blue", "free": [1, "a"], "other": 5})
    assert build(Thing, options) == Thing(number=2, ids=[0, 3], color="dark blue", free=[1, "a"])
    assert type(build(Thing, options).ids) is list


def test_integers_are_numbers_and_null_is_none() -> None:
    assert build(Thing, {"size": 2}).size == 2.0
    assert build(Thing, {"size": None, "ids": None, "shade": None}) == Thing()
    assert build(Thing, {"shade": "dark"}).shade == "dark"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"number": "two"}, "number=two: must be an integer"),
        ({"number": 1.5}, "number=1.5: must be an integer"),
        ({"number": None}, "number=null: must be an integer"),
        ({"size": "big"}, "size=big: must be a number or null"),
        ({"ids": 3}, r"ids=3: must be a list of integers, e.g. \[0,1\] or null"),
        ({"ids": ["a"]}, "must be a list of integers"),
        ({"color": "green"}, "color=green: must be one of red, dark blue"),
        ({"color": None}, "color=null: must be one of red, dark blue"),
        ({"shade": "deep"}, "shade=deep: must be one of light, dark, null"),
        ({"name": None}, "name=null: must be a string"),
        ({"name": ["a"]}, "must be a string"),
    ],
)
def test_wrong_types_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(Thing, options)


@dataclass(frozen=True, kw_only=True)
class Other:
    digits: int = 1


def test_an_option_that_nobody_takes_is_refused_if_the_user_gave_it() -> None:
    targets = {"feature_type": Thing, "on_extraction": Other}
    reject_unused_options({"number": 3, "digits": 2, "on_extraction.digits": 2}, targets, [], "thing")
    reject_unused_options({"show_pred": False, "stack_size": None, "name": "y"}, {"on_extraction": Other}, [Thing], "x")
    for given in ({"show_pred": True}, {"on_extraction.number": 1}, {"ids.x": [0]}):
        with pytest.raises(UsageError, match=": not an option of thing"):
            reject_unused_options(given, targets, [], "thing")


def test_a_path_or_a_list_of_paths() -> None:
    assert build(Inputs, {"video_paths": "a.mp4"}) == Inputs(video_paths="a.mp4")
    assert build(Inputs, OmegaConf.create({"video_paths": ["a.mp4"]})) == Inputs(video_paths=["a.mp4"])


def test_home_is_expanded_in_strings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for given, expected in {"~/x": "/home/me/x", "~": "/home/me", "~x": "~x", "a~/x": "a~/x"}.items():
        assert build(Thing, {"name": given}).name == expected


def test_output_path_is_given() -> None:
    with pytest.raises(UsageError, match="output_path: no folder"):
        build(Run, {"output_path": ""})


def test_targets_that_are_no_dataclass_are_named() -> None:
    assert import_target("torch_zoo.utils.options.Run", "x=y") is Run
    for path, message in {
        "nowhere.Thing": "x=y: can't import nowhere.Thing: No module named 'nowhere'",
        "torch_zoo.utils.options.Nothing": "has no attribute 'Nothing'",
        "Thing": "x=y: can't import Thing",
        "pathlib.Path": "pathlib.Path must be a dataclass",
    }.items():
        with pytest.raises(UsageError, match=message):
            import_target(path, "x=y")
