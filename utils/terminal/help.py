"""The text of --help, made from the config files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import fill

from torch_zoo.utils.terminal.catalogue import GROUPS, PRESETS, Catalogue, Option, nearest
from torch_zoo.utils.terminal.colors import Style, styled
from torch_zoo.utils.terminal.known import CLASSES, check_choice
from torch_zoo.utils.types import UsageError

WIDTH = 120  # at most; less on a narrower terminal
COLUMN = 24  # where the help texts begin

TITLE = "Features of videos and sounds, as arrays"
EXAMPLES = """\
  python main.py feature_type=vggish video_paths="[a.mp4, b.wav]"
  python main.py feature_type=vggish file_with_video_paths=list.txt on_extraction=save_numpy device_ids="[0,2]"
  python main.py feature_type=i3d,vggish video_paths=./videos on_extraction=save_numpy

Options are written name=value; --name value works as well. Names with spaces: video_paths="['a b.mp4']"."""

FLAGS = {
    "--help NAME": "options of an extractor, a sink or an engine, or what an option means, e.g. --help vggish",
    "--help all": "every option of everything",
    "--cfg job": "the options that a command line amounts to",
    "--multirun": "a run for each combination of values, e.g. hop_seconds=0.48,0.96",
    "--version": "of Torch Zoo",
    "--hydra-help": "flags of Hydra, which reads the options",
}
SEE_OTHERS = "--help alone shows all extractors and sinks and the common options, --help all every option."


@dataclass(frozen=True)
class Section:
    title: str
    headline: str
    options: tuple[Option, ...]


def text(catalogue: Catalogue, words: Sequence[str]) -> str:
    """An overview or, where `words` have names (feature_type=vggish, vggish, hop_seconds, all), what these are.

    Raises UsageError for a name that does not exist.
    """
    names = [name for word in words for name in _names(word)]
    if "all" in names:
        return "\n\n".join([*_overview(catalogue), *_everything(catalogue)])
    if names:
        return "\n\n".join([*(part for name in names for part in _about(name, catalogue)), fill(SEE_OTHERS, _width())])
    flags = (_line(flag, meaning) for flag, meaning in FLAGS.items())
    return "\n\n".join([*_overview(catalogue), "\n".join([_title("Flags"), *flags])])


def _names(word: str) -> list[str]:
    """`vggish` -> itself, `feature_type=i3d,vggish` -> each of both; none in `video_paths=./sample`."""
    group, equals, value = word.partition("=")
    if not equals:
        return [word]
    return [f"{group}={choice}" for choice in value.split(",")] if group in CLASSES else []


def _overview(catalogue: Catalogue) -> Iterator[str]:
    yield f"{_title(TITLE)}\n\n{EXAMPLES}"
    for group in CLASSES:
        yield _choices(group, catalogue)
    yield _shown(next(_sections(catalogue)), catalogue)


def _everything(catalogue: Catalogue) -> Iterator[str]:
    for section in list(_sections(catalogue))[1:]:
        if section.options:
            yield _shown(section, catalogue)
    for group in PRESETS:
        yield _choices(group, catalogue)


def _about(name: str, catalogue: Catalogue) -> list[str]:
    """Sections on a choice, on the choices of a group, or on all options of this name."""
    group, _, choice = name.partition("=")
    if choice:
        check_choice(group, choice, catalogue)
    parts = [_choices(name, catalogue)] if name in GROUPS else []
    for section in _sections(catalogue):
        if name in (section.title, section.title.partition("=")[2]):
            parts.append(_shown(section, catalogue))
        elif name not in PRESETS and (found := [option for option in section.options if option.name == name]):
            parts.append(_shown(replace(section, options=tuple(found)), catalogue))
    if not parts:
        known = {*catalogue.all_names(), *(choice for group in CLASSES for choice in catalogue.choices(group))}
        raise UsageError(f"--help {name}: nothing is called so{nearest(name, known)}")
    return parts


def _sections(catalogue: Catalogue) -> Iterator[Section]:
    """The common options, then those of each choice."""
    common = tuple(option for option in catalogue.common() if option.name not in CLASSES)
    yield Section("Common options", "", common)
    for group in CLASSES:
        for choice, headline in catalogue.choices(group).items():
            yield Section(f"{group}={choice}", headline, catalogue.of_choice(group, choice))


def _shown(section: Section, catalogue: Catalogue) -> str:
    headline = [fill(section.headline, _width())] if section.headline else []
    options = [_line(option.name, f"{_meaning(option, catalogue)} {_default(option)}") for option in section.options]
    return "\n".join([_title(section.title), *headline, *options])


def _choices(group: str, catalogue: Catalogue) -> str:
    """What can be chosen, a line each."""
    options = (*catalogue.common(), *(option for section in _sections(catalogue) for option in section.options))
    option = next(option for option in options if option.name == group)
    lines = [_line(choice, headline) for choice, headline in catalogue.choices(group).items()]
    return "\n".join([f"{_title(f'{group}=NAME')}: {option.text} {_default(option)}", *lines])


def _meaning(option: Option, catalogue: Catalogue) -> str:
    """The help text, with the choices of a preset or layout."""
    if option.name not in PRESETS:
        return option.text
    names = dict.fromkeys(choice.partition("/")[0] for choice in catalogue.choices(option.name))
    return f"{' | '.join(names)}: {option.text}"


def _default(option: Option) -> str:
    return "[required]" if option.default == "???" else f"[{option.default}]"


def _line(name: str, meaning: str) -> str:
    indent = f"  {name:<{COLUMN - 2}}"
    line = fill(meaning.lstrip(), _width(), initial_indent=indent, subsequent_indent=" " * COLUMN)
    return line.replace(name, _styled(name, "cyan"), 1)


def _title(title: str) -> str:
    return _styled(title, "bold")


def _styled(part: str, style: Style) -> str:
    return styled(part, style, stream=sys.stdout)


def _width() -> int:
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns)
