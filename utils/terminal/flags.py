"""The command line as Hydra wants it: argparse spellings, old names, layouts and `device=cuda:0` are translated."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from torch_zoo.utils.devices import gpu_index
from torch_zoo.utils.options import Run, fields, import_target
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.terminal.catalogue import CONFIGS, GROUPS, SWEPT, Catalogue, nearest
from torch_zoo.utils.terminal.grammar import quote, readable
from torch_zoo.utils.terminal.progress import Reporting
from torch_zoo.utils.terminal.renamed import current_choice, current_name
from torch_zoo.utils.types import UsageError

_FLAGS = frozenset(
    "-h -r -m -sc -i --help --hydra-help --version --resolve --run --multirun --shell-completion".split()
)
_FLAGS_WITH_VALUE = frozenset(
    "-c -p -cp -cn -cd --cfg --package --config-path --config-name --config-dir --info --experimental-rerun".split()
)
_CONFIG_DIR = ("--config-dir", "-cd")
_CFG, _CFG_CHOICES = ("--cfg", "-c"), ("job", "hydra", "all")
_OFTEN_MEANT = ("--help", "--version", "--multirun", "--cfg", "--config-dir", "--hydra-help")
_LIKE_A_GPU = re.compile(r"(?:cuda|gpu)?[:_]?(\d*)", re.IGNORECASE)


@dataclass(frozen=True)
class CommandLine:
    """What the user typed, sorted."""

    flags: tuple[str, ...]  # ours and Hydra's own, with their values
    overrides: tuple[str, ...]  # name=value, in Hydra's grammar

    def has(self, *flags: str) -> bool:
        return any(word.partition("=")[0] in flags for word in self.flags)


@dataclass(frozen=True)
class _Given:
    """An option that was spelled --name value ..."""

    flag: str  # as typed
    name: str
    values: tuple[str, ...]


def config_folders(arguments: Sequence[str]) -> tuple[Path, ...]:
    """Where configs are: in this package, and in the folders of --config-dir. Raises UsageError."""
    joined = [value for flag, _, value in (word.partition("=") for word in arguments) if value and flag in _CONFIG_DIR]
    apart = [value for flag, value in pairwise(arguments) if flag in _CONFIG_DIR]
    for folder in (*joined, *apart):
        if not Path(folder).is_dir():
            raise UsageError(f"--config-dir {folder}: no such folder")
    return (CONFIGS, *map(Path, (*joined, *apart)))


def translate(arguments: Sequence[str], catalogue: Catalogue) -> CommandLine:
    """`--device_ids 0 2 --video_paths "a b.mp4"` -> `device_ids=[0,2] video_paths=['a b.mp4']`. Raises UsageError."""
    names = catalogue.all_names()
    flags: list[str] = []
    given: list[str | _Given] = []
    rest = deque(arguments)
    while rest:
        word = rest.popleft()
        flag, _, joined = word.partition("=")
        if word in _FLAGS or flag in _FLAGS_WITH_VALUE:
            flags.append(word)
            if word in _FLAGS_WITH_VALUE:
                flags.append(_flag_value(word, rest))
        elif not word.startswith("--"):
            given.append(word)
        else:
            name = current_name(flag[2:].replace("-", "_"))
            if name not in names:
                raise UsageError(f"{flag}: there is no such option{nearest_flag(flag, names)}")
            values = [joined] if word != flag else []
            while rest and not _begins_option(rest[0], names):
                values.append(rest.popleft())
            given.append(_Given(flag, name, tuple(values)))
    hints = option_types(catalogue, dict(map(_choice, given)))
    overrides = [_override(each) if isinstance(each, str) else _typed(each, hints) for each in given]
    _refuse_repeated(overrides, hints)
    return CommandLine(tuple(flags), tuple(overrides))


def for_one_run(words: Sequence[str], catalogue: Catalogue) -> list[str]:
    """`feature_type=i3d layout=bmt device=cuda:1` -> `... layout=bmt/i3d device=cuda device_ids=[1]`.

    Raises UsageError where the extractor has no such layout, or a GPU is named in two ways.
    """
    return _with_device_ids(_with_layout(words, catalogue))


def option_types(catalogue: Catalogue, given: Mapping[str, str]) -> dict[str, Any]:
    """Types of the options that the chosen classes take, by their names on the command line."""
    hints = {name: hint for target in (Inputs, Reporting, Run) for name, hint in fields(target).items()}
    for group, choice in catalogue.chosen(given).items():
        if path := catalogue.target(group, choice):
            for name, hint in fields(import_target(path, f"{group}={choice}")).items():
                hints |= {name: hint, f"{group}.{name}": hint}
    return hints


def kinds(hint: Any) -> set[Any]:
    """The types within a type: `list[str] | None` -> list, str, NoneType."""
    inner = set().union(*map(kinds, get_args(hint))) if get_origin(hint) is not Literal else set()
    return {get_origin(hint) or hint, *inner}


def nearest_flag(flag: str, names: Iterable[str]) -> str:
    """`; did you mean --hop_seconds?`, or nothing: of options, and of flags that are no options."""
    word = flag.lstrip("-").replace("-", "_")
    return nearest(f"--{word}", {*_OFTEN_MEANT, *(f"--{name}" for name in names)}) if word else ""


def _flag_value(flag: str, rest: deque[str]) -> str:
    if flag in _CFG and (not rest or rest[0] not in _CFG_CHOICES):
        raise UsageError(f"{flag}: must be followed by one of {', '.join(_CFG_CHOICES)}")
    if not rest:
        raise UsageError(f"{flag}: no value is given")
    return rest.popleft()


def _refuse_repeated(overrides: Sequence[str], hints: Mapping[str, Any]) -> None:
    """Of scalars the last counts, so that scripts can append; but of two lists or extractors none may be lost."""
    values: dict[str, list[str]] = {}
    for name, _, value in (override.partition("=") for override in overrides):
        values.setdefault(name, []).append(value)
    for name, given in values.items():
        if name == SWEPT and len({*given}) > 1:
            raise UsageError(f"{name} is given twice; for a run with each, {name}={','.join(given)}")
        if name in GROUPS and len({*given}) > 1:
            raise UsageError(f"{name} is given twice; there is one per run")
        if len(given) > 1 and list in kinds(hints.get(name)):
            raise UsageError(f'{name} is given twice; a list is written {name}="[a,b]" or --{name} a b')


def _with_layout(words: Sequence[str], catalogue: Catalogue) -> list[str]:
    """Each extractor has a file of its own for a layout. Raises UsageError if this one has none."""
    given = dict(map(_choice, words))
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


def _begins_option(word: str, names: set[str]) -> bool:
    return word.startswith("--") or word in _FLAGS or word.partition("=")[0] in names


def _choice(given: str | _Given) -> tuple[str, str]:
    if isinstance(given, str):
        name, _, value = given.partition("=")
        return name, value
    return given.name, given.values[0] if given.values else ""


def _override(word: str) -> str:
    """`name=value` as it was typed, with the names of today."""
    name, equals, value = word.partition("=")
    if not equals:
        return word
    name, value = current_choice(current_name(name), value)
    return readable(f"{name}={value}")


def _typed(given: _Given, hints: Mapping[str, Any]) -> str:
    """`--name value ...` as an override, by the type of the option."""
    name, values = given.name, list(given.values)
    if len(values) == 1:
        name, values[0] = current_choice(name, values[0])
    types = kinds(hints.get(name, bool))
    written = [quote(value) if str in types or not re.fullmatch(r"[\w.+-]+", value) else value for value in values]
    if not any(values) and (values or bool not in types or name in GROUPS):
        raise UsageError(f"{given.flag}: no value is given")
    if list in types:
        return f"{name}=[{','.join(written if str in types else values).strip('[]')}]"
    if name == SWEPT:
        return f"{name}={','.join(written)}"
    if len(values) > 1:
        raise UsageError(f"{given.flag} takes one value, not {len(values)}: {' '.join(values)}")
    return f"{name}={written[0] if written else 'true'}"


def _with_device_ids(words: Sequence[str]) -> list[str]:
    """`device=cuda:1` -> `device=cuda`, `device_ids=[1]`. Raises UsageError for what is like it, and what says it."""
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
            raise UsageError(
                f"{word}: there is no such device; did you mean device=cuda{f':{like[1]}' * bool(like[1])}?"
            )
        else:
            result.append(word)
    return result
