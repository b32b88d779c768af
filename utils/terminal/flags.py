"""The command line as Hydra wants it: argparse spellings, old names and `device=cuda:0` are translated."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from torch_zoo.utils.options import Run, fields, import_target
from torch_zoo.utils.retry import Retry
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.terminal.catalogue import CONFIGS, GROUPS, Catalogue, nearest
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
_GPU = re.compile(r"device=['\"]?cuda:(\d+)['\"]?")


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
            if word in _FLAGS_WITH_VALUE and rest:
                flags.append(rest.popleft())
        elif not word.startswith("--"):
            given.append(word)
        else:
            name = current_name(flag[2:].replace("-", "_"))
            if name not in names:
                raise UsageError(f"{flag}: there is no such option{nearest(name, names)}")
            values = [joined] if word != flag else []
            while rest and not _begins_option(rest[0], names):
                values.append(rest.popleft())
            given.append(_Given(flag, name, tuple(values)))
    hints = _hints(catalogue, dict(map(_choice, given)))
    overrides = [_override(each) if isinstance(each, str) else _typed(each, hints) for each in given]
    return CommandLine(tuple(flags), tuple(chain.from_iterable(map(_device, overrides))))


def with_layout(words: Sequence[str], catalogue: Catalogue) -> list[str]:
    """`feature_type=i3d layout=bmt` -> `feature_type=i3d layout=bmt/i3d`: each extractor has a file of its own.

    Raises UsageError if this one has none.
    """
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


def _hints(catalogue: Catalogue, given: Mapping[str, str]) -> dict[str, Any]:
    """Types of the options that the chosen classes take, by their names on the command line."""
    hints = {name: hint for target in (Inputs, Reporting, Retry, Run) for name, hint in fields(target).items()}
    for group, choice in catalogue.chosen(given).items():
        if path := catalogue.target(group, choice):
            for name, hint in fields(import_target(path, f"{group}={choice}")).items():
                hints |= {name: hint, f"{group}.{name}": hint}
    return hints


def _override(word: str) -> str:
    """`name=value` as it was typed, with the names of today."""
    name, equals, value = word.partition("=")
    if not equals:
        return word
    if not value and not name.startswith("hydra"):
        raise UsageError(f"{word}: no value is given")
    name, value = current_choice(current_name(name), value)
    return readable(f"{name}={value}")


def _typed(given: _Given, hints: Mapping[str, Any]) -> str:
    """`--name value ...` as an override, by the type of the option."""
    name, values = given.name, list(given.values)
    if len(values) == 1:
        name, values[0] = current_choice(name, values[0])
    kinds = _kinds(hints.get(name, bool))
    written = [quote(value) if str in kinds or not re.fullmatch(r"[\w.+-]+", value) else value for value in values]
    if not any(values) and (values or bool not in kinds or name in GROUPS):
        raise UsageError(f"{given.flag}: no value is given")
    if list in kinds:
        return f"{name}=[{','.join(written)}]"
    if len(values) > 1:
        raise UsageError(f"{given.flag} takes one value, not {len(values)}: {' '.join(values)}")
    return f"{name}={written[0] if written else 'true'}"


def _kinds(hint: Any) -> set[Any]:
    """The types within a type: `list[str] | None` -> list, str, NoneType."""
    inner = set().union(*map(_kinds, get_args(hint))) if get_origin(hint) is not Literal else set()
    return {get_origin(hint) or hint, *inner}


def _device(override: str) -> tuple[str, ...]:
    """`device=cuda:1` -> `device=cuda`, `device_ids=[1]`."""
    found = _GPU.fullmatch(override)
    return ("device=cuda", f"device_ids=[{found[1]}]") if found else (override,)
