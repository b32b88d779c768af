"""A hook of MkDocs: the tables of all options, read from the comments of configs/ as `--help` reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mkdocs.structure.pages import Page

from torch_zoo.utils.terminal.catalogue import GROUPS, Catalogue, Option

MARK = "<!-- the tables of all options -->"


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    return markdown.replace(MARK, "\n".join(_tables(Catalogue())))


def _tables(catalogue: Catalogue) -> Iterator[str]:
    yield from ("## All extractors", "", *_options(catalogue.common()))
    for group in GROUPS:
        yield from ("", f"## {group}", "", "| choice | |", "|---|---|")
        choices = catalogue.choices(group)
        yield from (f"| {_choice(choice)} | {_cell(headline)} |" for choice, headline in choices.items())
        for choice in choices:
            if options := catalogue.of_choice(group, choice):
                yield from ("", f"### {group}={choice}", "", *_options(options))


def _choice(choice: str) -> str:
    """A layout has a file per extractor, layout/feature_type."""
    name, _, extractor = choice.partition("/")
    return f"`{name}`, for `{extractor}`" if extractor else f"`{name}`"


def _options(options: Sequence[Option]) -> Iterator[str]:
    yield from ("| option | default | meaning |", "|---|---|---|")
    for option in options:
        default = "required" if option.default == "???" else f"`{option.default}`"
        yield f"| `{option.name}` | {default} | {_cell(option.text)} |"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;").replace("*", r"\*")
