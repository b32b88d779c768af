"""The text of --help, made from the config files."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill

from torch_zoo.utils.terminal import catalogue

WIDTH = 120
COLUMN = 24  # where the help texts begin

EXAMPLES = """\
Features of media files, as arrays.

  python main.py feature_type=vggish video_paths="[a.mp4, b.wav]"
  python main.py feature_type=vggish file_with_video_paths=list.txt on_extraction=save_numpy device_ids="[0,2]"
  python main.py feature_type=vggish video_paths=./videos on_extraction=save_numpy hop_seconds=0.48 last_window=pad

Options are written name=value; --name value works as well. Names with blanks: video_paths="['a b.mp4']"."""


def text() -> str:
    """All options with meaning, unit, default and choices."""
    sections = [EXAMPLES, _section("All extractors", catalogue.common())]
    for group in catalogue.GROUPS:
        lines = [_line(choice, headline) for choice, headline in catalogue.choices(group).items()]
        sections.append("\n".join([f"Choices of {group}", *lines]))
    for group in catalogue.GROUPS:
        for choice in catalogue.choices(group):
            if options := catalogue.of_choice(group, choice):
                sections.append(_section(f"{group}={choice}", options))
    sections.append("--cfg job shows the composed options, --hydra-help what else Hydra offers.")
    return "\n\n".join(sections)


def _section(title: str, options: Iterable[catalogue.Option]) -> str:
    return "\n".join([title, *(_line(option.name, f"{option.text} [{_default(option)}]") for option in options)])


def _default(option: catalogue.Option) -> str:
    return "required" if option.default == "???" else option.default


def _line(name: str, meaning: str) -> str:
    return fill(meaning, WIDTH, initial_indent=f"  {name:<{COLUMN - 2}}", subsequent_indent=" " * COLUMN)
