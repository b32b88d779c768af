"""The command line as Hydra wants it: argparse spellings and old names are translated."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from torch_zoo.utils.options import Run, fields, import_target
from torch_zoo.utils.retry import Retry
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.terminal.catalogue import CONFIGS, GROUPS, SWEPT, Catalogue, nearest
from torch_zoo.utils.terminal.grammar import quote, readable
from torch_zoo.utils.terminal.progress import Reporting
from torch_zoo.utils.terminal.renamed import current_choice, current_name
from torch_zoo.utils.types import UsageError

_FLAGS = frozenset("-h -r -m -sc --help --hydra-help --version --resolve --run --multirun --shell-completion".split())
_FLAGS_WITH_VALUE = frozenset(
    "-c -p -cp -cn -cd -i --cfg --package --config-path --config-name --config-dir --info --experimental-rerun".split()
)
_CONFIG_DIR = ("--config-dir", "-cd")
_FLAG_CHOICES = {
    **dict.fromkeys(("-c", "--cfg"), ("job", "hydra", "all")),
    **dict.fromkeys(("-i", "--info"), ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")),
}
_OFTEN_MEANT = ("--help", "--version", "--multirun", "--cfg", "--config-dir", "--hydra-help")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CommandLine:
    """What the user typed, sorted."""

    flags: tuple[str, ...]  # ours and Hydra's own, with their values
    overrides: tuple[str, ...]  # name=value, in Hydra's grammar

    def has(self, *flags: str) -> bool:
        return any(word in flags for word in self.flags)


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
        flag, equals, joined = word.partition("=")
        if equals and flag in _FLAGS | _FLAGS_WITH_VALUE:
            if not joined:
                raise UsageError(f"{word}: no value is given")
            rest.extendleft([joined, flag])  # --help=vggish is --help vggish
        elif word in _FLAGS:
            flags.append(word)
        elif word in _FLAGS_WITH_VALUE:
            flags += [word, _flag_value(word, rest)]
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
    _warn_of_repeated(overrides, hints)
    return CommandLine(tuple(flags), tuple(overrides))


def option_types(catalogue: Catalogue, given: Mapping[str, str]) -> dict[str, Any]:
    """Types of the options that the chosen classes take, by their names on the command line."""
    hints = {name: hint for target in (Inputs, Reporting, Retry, Run) for name, hint in fields(target).items()}
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
    choices = _FLAG_CHOICES.get(flag, ())
    if choices and (not rest or rest[0] not in choices):
        raise UsageError(f"{flag}: must be followed by one of {', '.join(choices)}")
    if not rest:
        raise UsageError(f"{flag}: no value is given")
    return rest.popleft()


def _warn_of_repeated(overrides: Sequence[str], hints: Mapping[str, Any]) -> None:
    """The last value counts, so that scripts can append; but who gives two lists or extractors may want both."""
    values: dict[str, list[str]] = {}
    for name, _, value in (override.partition("=") for override in overrides):
        values.setdefault(name, []).append(value)
    for name, given in values.items():
        if name in GROUPS and len({*given}) > 1:
            both = f"; for a run with each: {name}={','.join(given)}" if name == SWEPT else ""
        elif list in kinds(hints.get(name)) and len({*given}) > 1:
            both = f'; a list is written {name}="[a,b]" or --{name} a b'
        else:
            continue
        log.warning("%s is given twice, and the last counts: %s=%s%s", name, name, given[-1], both)


def _begins_option(word: str, names: set[str]) -> bool:
    return word.startswith("--") or word in _FLAGS | _FLAGS_WITH_VALUE or word.partition("=")[0] in names


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
