"""The text of --help, made from the config files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import fill

from torch_zoo.utils.terminal.catalogue import GROUPS, Catalogue, Option

WIDTH = 120
COLUMN = 24  # where the help texts begin

EXAMPLES = """\
Features of media files, as arrays.

  python main.py feature_type=vggish video_paths="[a.mp4, b.wav]"
  python main.py feature_type=vggish file_with_video_paths=list.txt on_extraction=save_numpy device_ids="[0,2]"
  python main.py feature_type=vggish video_paths=./videos on_extraction=save_numpy hop_seconds=0.48 last_window=pad

Options are written name=value; --name value works as well. Names with spaces: video_paths="['a b.mp4']"."""


def text(catalogue: Catalogue, given: Mapping[str, object]) -> str:
    """Options with meaning, unit, default and choices: all of them, or those of the choices that the user gave."""
    common = _section("All extractors", catalogue.common())
    chosen = [(group, str(given[group])) for group in GROUPS if str(given.get(group)) in catalogue.choices(group)]
    if ("feature_type", str(given.get("feature_type"))) in chosen:
        return "\n\n".join([common, *_of(catalogue, chosen), "--help alone shows all extractors and sinks."])
    sections = [EXAMPLES, common]
    for group in GROUPS:
        lines = [_line(choice, headline) for choice, headline in catalogue.choices(group).items()]
        sections.append("\n".join([f"Choices of {group}", *lines]))
    sections += _of(catalogue, [(group, choice) for group in GROUPS for choice in catalogue.choices(group)])
    return "\n\n".join([*sections, "--cfg job shows the composed options, --hydra-help what else Hydra offers."])


def _of(catalogue: Catalogue, chosen: Iterable[tuple[str, str]]) -> list[str]:
    options = {f"{group}={choice}": catalogue.of_choice(group, choice) for group, choice in chosen}
    return [_section(title, found) for title, found in options.items() if found]


def _section(title: str, options: Iterable[Option]) -> str:
    return "\n".join([title, *(_line(option.name, f"{option.text} {_default(option)}") for option in options)])


def _default(option: Option) -> str:
    return "[required]" if option.default == "???" else f"[{option.default}]"


def _line(name: str, meaning: str) -> str:
    return fill(meaning.lstrip(), WIDTH, initial_indent=f"  {name:<{COLUMN - 2}}", subsequent_indent=" " * COLUMN)
