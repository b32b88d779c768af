"""The report of a training in a real browser: complete, without requests, on any screen and paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import numpy as np
import pytest
from training_summary import CLASSES, summary

from torch_zoo.utils.reports.training_page import training_page
from torch_zoo.utils.training import summary as writing

TABLES = """return [...document.querySelectorAll("table")].map((table) => [...table.tBodies[0].rows].map(
  (row) => [...row.cells].map((cell) => cell.textContent)))"""
CELLS = "return [...document.querySelectorAll('figure svg')][2].querySelectorAll('image').length"
NUMBERS = """return [...[...document.querySelectorAll('figure svg')][2].querySelectorAll('text')].map(
  (each) => each.textContent)"""

pytest.importorskip("matplotlib")
pytest.importorskip("selenium")
pytestmark = chromium.needed


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    writing.write(summary(), str(folder))
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(report: Path) -> Iterator[Any]:
    with chromium.opened(report) as opened:
        yield opened


def test_it_is_complete_and_asks_for_nothing(browser: Any, report: Path) -> None:
    assert chromium.asked_for(browser) == {report.as_uri()}
    assert browser.get_log("browser") == []
    sizes = browser.execute_script(chromium.SIZES)
    assert len(sizes) == 4  # two curves, the matrix and the bars
    assert all(width > 300 and height > 50 for width, height in sizes)


def test_the_matrix_shows_classes_and_numbers(browser: Any) -> None:
    assert browser.execute_script(CELLS) == 1
    texts = browser.execute_script(NUMBERS)
    assert {*CLASSES, "true class", "predicted class"} <= set(texts)
    matrix = summary().matrix
    assert sorted(int(text) for text in texts if text.isdecimal()) == sorted(matrix[matrix > 0].tolist())


def test_the_tables_show_classes_and_mistakes(browser: Any) -> None:
    made = summary()
    classes, mistakes = browser.execute_script(TABLES)
    assert [row[0] for row in classes] == list(CLASSES)  # as text, not as elements
    assert [int(row[1]) for row in classes] == made.matrix.sum(axis=1).tolist()
    assert [float(row[3]) for row in classes] == pytest.approx(
        np.diag(made.matrix) / made.matrix.sum(axis=1), abs=0.0005
    )
    assert [row[0] for row in mistakes] == [clip.path for clip, *_ in made.mistakes()]
    assert [row[2:4] for row in mistakes] == [[true, other] for _, true, other, _ in made.mistakes()]


def test_it_follows_the_color_scheme(browser: Any) -> None:
    assert all(light != dark for light, dark in chromium.in_each_color_scheme(browser))


def test_it_fits_a_phone(browser: Any) -> None:
    with chromium.on_a_phone(browser):
        assert browser.execute_script("return document.documentElement.scrollWidth") == chromium.PHONE["width"]


def test_many_classes_and_mistakes_stay_one_page(tmp_path: Path) -> None:
    """VGGSound's number of both."""
    made = summary(tuple(f"class {number}" for number in range(309)), 15_446)
    (tmp_path / "report.html").write_text(training_page(made), encoding="utf-8")
    assert (tmp_path / "report.html").stat().st_size < 1_000_000
    with chromium.opened(tmp_path / "report.html") as browser:
        classes, mistakes = browser.execute_script(TABLES)
        assert (len(classes), len(mistakes)) == (309, 500)
        assert browser.execute_script(CELLS) == 1
        assert f"The 500 most confident of {len(made.mistakes()):,}" in browser.page_source
