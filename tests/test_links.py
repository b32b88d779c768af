"""Links of the documentation lead to files and headings that are there, as GitHub shows them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from command import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
IMAGE_BYTES = 200_000


@cache
def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link.partition("#") for link in LINK.findall(without_code(page)) if not re.match(r"\w+:", link)]
    for path, _, anchor in links:
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def test_images_are_small_and_shown_somewhere() -> None:
    images = {path.name: path.stat().st_size for path in (ROOT / "docs/images").iterdir()}
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {name for name in images if f"images/{name})" not in text} == set()
    assert {name: size for name, size in images.items() if size > IMAGE_BYTES} == {}
