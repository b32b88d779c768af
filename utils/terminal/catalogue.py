"""Every option there is, read from the config files: the comment behind an option is its help text."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from torch_zoo.utils.types import UsageError

CONFIGS = Path(__file__).parents[2] / "configs"
GROUPS = ("feature_type", "preset", "layout", "on_extraction", "engine")
PRESETS = ("preset", "layout")  # groups that set options of others
SWEPT = "feature_type"  # the group of which several choices are several runs, without --multirun

_SYNONYMS = {  # what other tools call it
    "video_paths": "file files input inputs media path paths video",
    "output_path": "dir out output",
    "feature_type": "extractor model network",
    "on_extraction": "format save sink",
    "device_ids": "gpu gpus workers",
}
_NO_OPTIONS = {"defaults", "_target_", "hydra", *GROUPS}  # what else is at the top of a config file
_COMMENT = re.compile(r"^(?:  - /?)?(?P<name>\w+):.*? # (?P<text>.*)$", re.MULTILINE)
_HEADLINE = re.compile(r"^# (?!@package)(?P<text>.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Option:
    name: str  # as on the command line; `on_extraction.digits` for one that lies within its group
    default: str  # as on the command line
    text: str


@dataclass(frozen=True)
class Catalogue:
    """The options of the configs in some folders; where two have a file of one name, the first counts, as for Hydra."""

    folders: tuple[Path, ...] = (CONFIGS,)

    def common(self) -> tuple[Option, ...]:
        """Options of all extractors, the config groups first."""
        return _options(CONFIGS / "config.yaml", "")

    def of_choice(self, group: str, choice: str) -> tuple[Option, ...]:
        """Options that come with one choice of a group, e.g. feature_type=vggish. A preset sets others' options."""
        return () if group in PRESETS else _options(self._files(group)[choice], group)

    def choices(self, group: str) -> dict[str, str]:
        """Choices of a config group, with the comment at the head of each file."""
        headlines = ((choice, _HEADLINE.search(file.read_text())) for choice, file in self._files(group).items())
        return {choice: found["text"] if found else "" for choice, found in headlines}

    def target(self, group: str, choice: str) -> str | None:
        """The class behind a choice, as module.Class; a preset has none."""
        content = _read(self._files(group)[choice])
        within = content.get(group, content)
        return within.get("_target_") if isinstance(within, dict) else None

    def values(self, chosen: Mapping[str, str]) -> dict[str, Any]:
        """What options are set to where the user sets none: by config.yaml, then by the choice of each group."""
        result = dict(_read(CONFIGS / "config.yaml"))
        for group, choice in chosen.items():
            content = _read(self._files(group)[choice])
            result |= content | (content.get(group) or {})
        return {name: value for name, value in result.items() if name not in _NO_OPTIONS}

    def all_names(self) -> set[str]:
        """Names of all options of all extractors and sinks."""
        specific = (self.of_choice(group, choice) for group in GROUPS for choice in self._files(group))
        return {option.name for options in (self.common(), *specific) for option in options}

    def chosen(self, given: Mapping[str, str]) -> dict[str, str]:
        """The choice of each group, by the user or by default; groups without any are left out."""
        result: dict[str, str] = {}
        implied: dict[str, str] = {}
        options = self.common()
        for group in GROUPS:
            default = next((option.default for option in options if option.name == group), "")
            choice = given.get(group, implied.get(group, default))
            if file := self._files(group).get(choice):
                result[group] = choice
                options += self.of_choice(group, choice)
                implied |= {name.removeprefix("override /"): chosen for name, chosen in _groups(file).items()}
        return result

    def _files(self, group: str) -> dict[str, Path]:
        files = [(folder / group, file) for folder in self.folders for file in (folder / group).rglob("*.yaml")]
        found = {file.relative_to(folder).with_suffix("").as_posix(): file for folder, file in reversed(files)}
        return dict(sorted(found.items()))


def nearest(word: str, words: Iterable[str]) -> str:
    """`; did you mean x?` for the words that begin so or the most similar one, whatever the case, or nothing."""
    known, word = sorted(words), word.lower()
    longer = [each for each in known if word and each.startswith(word)]
    meant = [each for each in known if word.strip("-") in _SYNONYMS.get(each.strip("-"), "").split()]
    close = longer[:3] or meant or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


@cache
def _options(file: Path, group: str) -> tuple[Option, ...]:
    """Options in a file: the config groups among its defaults, then what it defines, in the package it names."""
    content, text = _read(file), file.read_text()
    comments = {found["name"]: found["text"] for found in _COMMENT.finditer(text)}
    package = f"{group}." if group and "# @package _global_" not in text else ""
    groups = {name.lstrip("/"): choice for name, choice in _groups(file).items()}
    own = {name: value for name, value in content.items() if name not in _NO_OPTIONS}
    return (
        *(Option(name, _written(groups[name]), comments.get(name, "")) for name in GROUPS if name in groups),
        *(Option(package + name, _written(value), comments.get(name, "")) for name, value in own.items()),
    )


def _groups(file: Path) -> dict[str, Any]:
    """The choices of config groups among its defaults; `override /group` where it changes that of another file."""
    entries = (entry for entry in _read(file).get("defaults", ()) if isinstance(entry, dict))
    return {name: choice for entry in entries for name, choice in entry.items()}


@cache
def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: not a config file: {' '.join(str(error).split())}") from error
    if content is not None and not isinstance(content, dict):
        raise UsageError(f"{file}: not a config file: it must consist of lines `name: value`")
    return content or {}


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str).replace('"', "")
