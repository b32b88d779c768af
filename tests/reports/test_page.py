"""Pages escape all text and show numbers as people read them; figures take their colors from the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from torch_zoo.utils.reports.page import Bar, Bars, Figure, Number, Numbers, Section, Table, Text, page, shown

HOSTILE = "<script>alert('\"&')</script>"


class Reader(HTMLParser):
    """The tags of a document, and its text outside of scripts and styles."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.texts.append(data)


def test_all_text_is_escaped() -> None:
    blocks = [
        Text(HOSTILE),
        Numbers([Number(HOSTILE, HOSTILE, HOSTILE)]),
        Figure("<svg></svg>", HOSTILE, HOSTILE),
        Bars(HOSTILE, [Bar(HOSTILE, 0.5, HOSTILE)], HOSTILE),
        Table([HOSTILE], [[HOSTILE, HOSTILE]]),
    ]
    read = Reader(page(HOSTILE, [Section(HOSTILE, blocks)]))
    assert [tag for tag, _ in read.tags].count("script") == 1  # of the page itself
    assert read.texts.count(HOSTILE) == 16
    assert [given["aria-label"] for _, given in read.tags if "aria-label" in given] == [HOSTILE]


def test_the_document_forbids_requests_and_asks_for_none() -> None:
    document = page("Title", [])
    tags = Reader(document).tags
    [policy] = [given["content"] for _, given in tags if given.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"https?:|url\(|@import", document)
    assert [given.get("href") for _, given in tags if "href" in given] == ["data:,"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (15446, "15,446"),
        (0.51649, "0.516"),
        (float("nan"), "\N{EN DASH}"),
        (float("inf"), "∞"),
        (-float("inf"), "\N{MINUS SIGN}∞"),
        ("a", "a"),
    ],
)
def test_numbers_are_shown_as_people_read_them(value: float | str, text: str) -> None:
    assert shown(value) == text


def test_a_figure_has_the_colors_of_the_page_and_ids_of_its_own() -> None:
    pytest.importorskip("matplotlib")
    from torch_zoo.utils.reports.figures import ACCENT, draw

    svgs = []
    for label in ("<one> & $\\x$", "two"):
        svg = draw(lambda axes, label=label: (axes.plot([0, 1], [2, 3], color=ACCENT), axes.set_xlabel(label)))
        root = ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
        assert label in "".join(root.itertext())
        svgs.append(svg)
    assert "stroke: var(--accent)" in svgs[0]
    assert not re.search("#0[0-9]{5}|#000000", svgs[0])
    first, second = (set(re.findall(r' id="([^"]+)"', svg)) for svg in svgs)
    assert len(first) > 10
    assert not first & second
    for svg, ids in zip(svgs, (first, second), strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg)) <= ids
