"""What was typed -> the command line of each run, in Hydra's grammar, checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

from torch_zoo.utils.devices import gpu_index
from torch_zoo.utils.terminal import checks, grammar
from torch_zoo.utils.terminal.catalogue import SWEPT, Catalogue, nearest
from torch_zoo.utils.terminal.flags import CommandLine
from torch_zoo.utils.types import UsageError

MULTIRUN = ("-m", "--multirun")
LAUNCHER = "hydra/launcher="  # who runs the runs of --multirun

_UNCHECKED = "-sc --shell-completion --hydra-help -i --info -cn --config-name -cp --config-path".split()
_LIKE_A_GPU = re.compile(r"(?:cuda|gpu)?[:_]?(\d*)", re.IGNORECASE)


def of_each_run(typed: CommandLine, catalogue: Catalogue) -> list[list[str]]:
    """One for each extractor or, with --multirun, combination. Raises UsageError, unless only Hydra is to answer."""
    checked = not typed.has(*_UNCHECKED)
    if checked:
        checks.check_words(typed.overrides, catalogue)
    lines = grammar.combinations(typed.overrides, over=None if typed.has(*MULTIRUN) else [SWEPT])
    if not are_launched(typed):
        lines = _with_own_options(lines, catalogue)
    lines = [of_one_run(line, catalogue) for line in lines]
    for line in lines if checked else ():
        checks.check(line, catalogue)
    return lines


def are_launched(typed: CommandLine) -> bool:
    """Does a launcher of Hydra's run them?"""
    return typed.has(*MULTIRUN) and any(word.startswith(LAUNCHER) for word in typed.overrides)


def of_one_run(words: Sequence[str], catalogue: Catalogue) -> list[str]:
    """`feature_type=i3d layout=bmt device=cuda:1` -> `... layout=bmt/i3d device=cuda device_ids=[1]`.

    Raises UsageError where the extractor has no such layout, or a GPU is named in two ways.
    """
    return _with_device_ids(_with_layout(words, catalogue))


def _with_own_options(lines: Sequence[Sequence[str]], catalogue: Catalogue) -> list[list[str]]:
    """Command lines for several extractors, each without the options that belong only to others of them."""
    own = {
        word: {option.name for option in catalogue.of_choice(SWEPT, word.removeprefix(f"{SWEPT}="))}
        for word in chain.from_iterable(lines)
        if word.removeprefix(f"{SWEPT}=") in catalogue.choices(SWEPT)
    }

    def fits(word: str, line: Sequence[str]) -> bool:
        takers = [choice for choice, names in own.items() if word.partition("=")[0] in names]
        return not takers or any(choice in line for choice in takers)

    kept = [[word for word in line if fits(word, line)] for line in lines]
    return [line for number, line in enumerate(kept) if line not in kept[:number]]


def _with_layout(words: Sequence[str], catalogue: Catalogue) -> list[str]:
    """Each extractor has a file of its own for a layout. Raises UsageError if this one has none."""
    given = dict(word.partition("=")[::2] for word in words)
    layout, extractor = given.get("layout", "null"), given.get("feature_type")
    choices, suffix = catalogue.choices("layout"), f"/{extractor}"
    names = [choice.removesuffix(suffix) for choice in choices if choice.endswith(suffix)]
    if extractor in catalogue.choices("feature_type") and layout not in ("null", *names, *choices):
        listed = ", ".join(names) or "none"
        raise UsageError(
            f"layout={layout}: there is no such layout for feature_type={extractor}{nearest(layout, names)} "
            f"(there are: {listed})"
        )
    named = [f"layout={layout}{suffix}" if layout in names and word.startswith("layout=") else word for word in words]
    return [word for word in named if word != "layout=null"]  # as in the defaults; Hydra knows no group without choice


def _with_device_ids(words: Sequence[str]) -> list[str]:
    """`device=cuda:1` -> `device=cuda`, `device_ids=[1]`. Raises UsageError for both, and misspelled ones."""
    result: list[str] = []
    for word in words:
        name, _, value = word.partition("=")
        value = value.strip("'\"").replace("\\", "")  # a sweep escapes the colon
        if name != "device" or value == "cuda":
            result.append(word)
        elif (index := gpu_index(value)) is not None:
            if any(each.startswith("device_ids=") for each in words):
                raise UsageError(f"{word} is device_ids=[{index}]; give one of device=cuda:N and device_ids, not both")
            result += ["device=cuda", f"device_ids=[{index}]"]
        elif re.search(r"[,\[]", value):
            ids = ",".join(re.findall(r"\d+", value)) or "0,1"
            raise UsageError(f'{word}: several devices are written device=cuda device_ids="[{ids}]"')
        elif like := _LIKE_A_GPU.fullmatch(value):
            meant = f"cuda:{like[1]}" if like[1] else "cuda"
            raise UsageError(f"{word}: there is no such device; did you mean device={meant}?")
        else:
            result.append(word)
    return result
