"""The site that `make docs` has built: it asks nobody else for anything, and has every option and public name."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

import torch_zoo
from torch_zoo.utils.terminal.catalogue import GROUPS, Catalogue

pytest.importorskip("mkdocs")

ROOT = Path(__file__).parents[2]
SITE = ROOT / "site"
REPOSITORY = "https://github.com/torch-zoo/torch-zoo/blob/main/"
LOADED = {
    "href": ("link",),
    "src": ("img", "script", "iframe", "source"),
    "srcset": ("img", "source"),
}


class Page(HTMLParser):
    """What a page loads and links to, its anchors, its texts, and its paragraphs."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.paragraphs: list[str] = []
        self.text = ""
        self._in_paragraph = False
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.loaded += [value for name, value in given.items() if tag in LOADED.get(name, ())]
        self.loaded += re.findall(r"url\(([^)]*)\)", given.get("style", ""))
        self.anchors |= {given["id"]} if "id" in given else set()
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "p":
            self._in_paragraph = True
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_paragraph &= tag != "p"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_paragraph:
            self.paragraphs[-1] += data


@cache
def pages() -> dict[str, Page]:
    return {path.relative_to(SITE).as_posix(): Page(path) for path in SITE.rglob("*.html")}


def test_every_page_of_the_documentation_is_on_the_site() -> None:
    written = [path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert len(written) > 20
    assert {f"{name}/index.html" for name in (*written, "CONTRIBUTING")} | {"index.html", "404.html"} == set(pages())


def test_pages_and_styles_load_nothing_from_elsewhere() -> None:
    loaded = {(name, url) for name, page in pages().items() for url in page.loaded}
    for style in SITE.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        loaded |= {(style.name, url) for url in re.findall(r"(?:url\(|@import\s*)[\"']?([^\"');]+)", text)}
    assert len(loaded) > 100
    assert {(name, url) for name, url in loaded if re.match(r"(\w+:)?//", url)} == set()


def test_links_into_the_repository_lead_to_its_files() -> None:
    linked = {link.removeprefix(REPOSITORY) for page in pages().values() for link in page.links if REPOSITORY in link}
    assert {"LICENSE", "configs"} <= linked
    assert {path for path in linked if not (ROOT / path.partition("#")[0]).exists()} == set()


def test_tables_and_lists_are_rendered_as_such() -> None:
    left = r"^\||\n *([-|]|\d+\.) "  # as Python-Markdown leaves them where GitHub would not
    found = [(name, text) for name, page in pages().items() for text in page.paragraphs if re.search(left, text)]
    assert found == []


def test_every_option_is_in_the_reference_with_its_default() -> None:
    catalogue = Catalogue()
    choices = [(group, choice) for group in GROUPS for choice in catalogue.choices(group)]
    shown = " ".join(pages()["options/index.html"].text.split())
    for option in (*catalogue.common(), *(each for pair in choices for each in catalogue.of_choice(*pair))):
        assert f"{option.name} {option.default.replace('???', 'required')} {' '.join(option.text.split())}" in shown
    assert {f"{group}{choice}" for group, choice in choices if catalogue.of_choice(group, choice)} <= {
        anchor.replace("=", "") for anchor in pages()["options/index.html"].anchors
    }


def test_every_public_name_is_in_the_reference() -> None:
    documented = {anchor.rpartition(".")[2] for anchor in pages()["api/index.html"].anchors}
    hub = re.search(r"__all__ = \[(.*?)\]", (ROOT / "hubconf.py").read_text(), re.DOTALL)
    assert hub
    assert {*torch_zoo.__all__, *re.findall(r"\w+", hub[1])} - documented == set()
