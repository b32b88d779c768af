"""Every option there is, read from the config files: the comment behind an option is its help text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CONFIGS = Path(__file__).parents[2] / "configs"
GROUPS = ("feature_type", "preset", "on_extraction", "engine")

_OPTION = re.compile(r"^(?P<name>\w+): +(?P<default>\S.*?) +# (?P<text>.*)$")
_GROUP = re.compile(r"^  - /?(?P<name>\w+): (?P<default>\S+) +# (?P<text>.*)$")


@dataclass(frozen=True, slots=True)
class Option:
    name: str
    default: str
    text: str


@cache
def common() -> tuple[Option, ...]:
    """Options of all extractors, the config groups first."""
    return _options(CONFIGS / "config.yaml", _GROUP) + _options(CONFIGS / "config.yaml", _OPTION)


@cache
def of_choice(group: str, choice: str) -> tuple[Option, ...]:
    """Options that come with one choice of a group, e.g. feature_type=vggish."""
    file = CONFIGS / group / f"{choice}.yaml"
    return _options(file, _GROUP) + _options(file, _OPTION)


@cache
def choices(group: str) -> dict[str, str]:
    """Choices of a config group, with the comment at the head of each file."""
    files = sorted((CONFIGS / group).glob("*.yaml"))
    return {file.stem: _headline(file) for file in files}


def all_names() -> set[str]:
    """Names of all options of all extractors and sinks."""
    specific = {option.name for group in GROUPS for choice in choices(group) for option in of_choice(group, choice)}
    return specific | {option.name for option in common()}


def nearest(word: str, words: Iterable[str]) -> str:
    """`; did you mean x?` for the word that begins so or is most similar, or nothing."""
    longer = sorted(known for known in words if word and known.startswith(word))
    close = longer or difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _options(file: Path, pattern: re.Pattern[str]) -> tuple[Option, ...]:
    matches = (pattern.match(line) for line in file.read_text().splitlines())
    return tuple(Option(**match.groupdict()) for match in matches if match)


def _headline(file: Path) -> str:
    comments = (line[2:] for line in file.read_text().splitlines() if line.startswith("# "))
    return next((line for line in comments if not line.startswith("@package")), "")
