"""From a composed config to typed objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from omegaconf import OmegaConf

from torch_zoo.utils.options import build, reject_unused_options
from torch_zoo.utils.types import UsageError


@dataclass(frozen=True, kw_only=True)
class Thing:
    number: int = 1
    size: float | None = None
    ids: list[int] | None = None
    colour: Literal["red", "dark blue"] = "red"
    shade: Literal["light", "dark"] | None = None
    name: str = "x"
    free: Any = None


def test_takes_what_bears_the_names_of_its_fields() -> None:
    options = OmegaConf.create({"number": 2, "ids": [0, 3], "colour": "dark blue", "free": [1, "a"], "other": 5})
    assert build(Thing, options) == Thing(number=2, ids=[0, 3], colour="dark blue", free=[1, "a"])
    assert type(build(Thing, options).ids) is list


def test_whole_numbers_are_numbers_and_null_is_none() -> None:
    assert build(Thing, {"size": 2}).size == 2.0
    assert build(Thing, {"size": None, "ids": None, "shade": None}) == Thing()
    assert build(Thing, {"shade": "dark"}).shade == "dark"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"number": "two"}, "number=two: must be a whole number"),
        ({"number": 1.5}, "number=1.5: must be a whole number"),
        ({"number": None}, "number=null: must be a whole number"),
        ({"size": "big"}, "size=big: must be a number or null"),
        ({"ids": 3}, r"ids=3: must be a list of whole numbers, e.g. \[0,1\] or null"),
        ({"ids": ["a"]}, "must be a list of whole numbers"),
        ({"colour": "green"}, "colour=green: must be one of red, dark blue"),
        ({"colour": None}, "colour=null: must be one of red, dark blue"),
        ({"shade": "deep"}, "shade=deep: must be one of light, dark, null"),
        ({"name": None}, "name=null: must be a text"),
        ({"name": ["a"]}, "must be a text"),
    ],
)
def test_wrong_types_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(Thing, options)


def test_an_option_that_nobody_takes() -> None:
    reject_unused_options({"number": 3, "show_pred": False, "stack_size": None}, [Thing], "vggish")
    with pytest.raises(UsageError, match="show_pred=true: vggish has no use for it"):
        reject_unused_options({"show_pred": True}, [Thing], "vggish")
