"""A report as one HTML file that asks for nothing else: sections of numbers, figures, bars and tables.

It adapts to light and dark, to small screens, and to print. All text is escaped; only figures are taken as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
STYLE, SCRIPT = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))

FEW_ROWS = 5  # are seen at a glance

Cell = str | int | float


class Block(Protocol):
    def html(self) -> str:
        """An element of a section."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str

    def html(self) -> str:
        return f"<p>{escape(self.text)}</p>"


@dataclass(frozen=True, slots=True)
class Link:
    """A file beside the page, by its relative path."""

    path: str
    text: str

    def html(self) -> str:
        return f'<p><a href="{escape(self.path)}">{escape(self.text)}</a></p>'


@dataclass(frozen=True, slots=True)
class Number:
    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The few numbers that matter most, large."""

    numbers: Sequence[Number]

    def html(self) -> str:
        tiles = (
            f"<div><dt>{escape(each.name)}</dt><dd>{escape(each.value)}</dd>"
            f"<dd class=note>{escape(each.note)}</dd></div>"
            for each in self.numbers
        )
        return f"<dl class=numbers>{''.join(tiles)}</dl>"


@dataclass(frozen=True, slots=True)
class Figure:
    svg: str  # of figures.draw
    title: str
    caption: str = ""

    def html(self) -> str:
        return (
            f'<figure role=img aria-label="{escape(self.title)}"><h3>{escape(self.title)}</h3>{self.svg}'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    share: float  # of the width, 0 to 1
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A horizontal bar chart, whose labels wrap on small screens."""

    title: str
    bars: Sequence[Bar]
    caption: str = ""

    def html(self) -> str:
        rows = (
            f"<li><span>{escape(bar.label)}</span><span>{escape(bar.text)}</span>"
            f'<i style="width:{100 * bar.share:.2f}%"></i></li>'
            for bar in self.bars
        )
        return (
            f"<figure><h3>{escape(self.title)}</h3><ul class=bars>{''.join(rows)}</ul>"
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


@dataclass(frozen=True, slots=True)
class Table:
    """Sortable by a click on a column; if it is long, searchable by the first one, which names the rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def html(self) -> str:
        head = "".join(f"<th scope=col><button>{escape(name)}</button></th>" for name in self.columns)
        body = "".join(
            f"<tr><th scope=row>{escape(shown(first))}</th>{''.join(map(_cell, others))}</tr>"
            for first, *others in self.rows
        )
        search = "<label>Search <input type=search></label><output></output>" if len(self.rows) > FEW_ROWS else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f"<div class=table>{search}<div class=scroll>{table}</div></div>"


@dataclass(frozen=True, slots=True)
class Section:
    """`beside` puts its blocks side by side where the screen is wide enough."""

    title: str
    blocks: Sequence[Block]
    beside: bool = False

    def html(self) -> str:
        title = f"<h2>{escape(self.title)}</h2>" if self.title else ""
        blocks = "".join(block.html() for block in self.blocks)
        return f"<section>{title}<div class={'beside' if self.beside else 'below'}>{blocks}</div></section>"


def page(title: str, sections: Sequence[Section]) -> str:
    """The whole document."""
    return (
        "<!DOCTYPE html>\n"
        f"<html lang=en><head><meta charset=utf-8><title>{escape(title)}</title><meta name=viewport "
        f'content="width=device-width, initial-scale=1"><meta name=color-scheme content="light dark">'
        f'<meta http-equiv=Content-Security-Policy content="{POLICY}"><link rel=icon href="data:,">'
        f"<style>{STYLE}</style></head>\n<body><main><h1>{escape(title)}</h1>\n"
        + "\n".join(section.html() for section in sections)
        + f"\n</main><script>{SCRIPT}</script></body></html>\n"
    )


def shown(value: Cell) -> str:
    """A cell as people read it: three decimals, thousands apart, a dash for NaN."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    if math.isnan(value):
        return "\N{EN DASH}"
    return f"{value:.3f}" if math.isfinite(value) else "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}"


def _cell(value: Cell) -> str:
    number = "" if isinstance(value, str) else f' data-value="{value}"'
    return f"<td{number}>{escape(shown(value))}</td>"
