"""The report of an evaluation in a real browser: complete, without requests, sortable, on any screen."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import predictions_maker as maker
import pytest

from torch_zoo.models.vggsound import evaluate
from torch_zoo.models.vggsound.evaluation_page import NAMES
from torch_zoo.utils.reports.page import shown

COLUMN = """return [...document.querySelectorAll("tbody tr")].filter((row) => !row.hidden).map(
  (row) => row.cells[arguments[0]].textContent)"""

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("selenium")
pytestmark = chromium.needed


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[float]]]:
    """The HTML file, and the metrics that were printed with it."""
    folder = tmp_path_factory.mktemp("report")
    maker.write_data_set(folder)
    given = (str(folder / name) for name in ("predictions", "test.csv"))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert evaluate.main([*given, "--labels", str(folder / "classes.txt"), "--output-path", str(folder)]) == 0
    lines = (line.partition(": ") for line in printed.getvalue().splitlines())
    return folder / "report.html", {
        name: [float(number.strip("[],")) for number in numbers.split()] for name, _, numbers in lines
    }


@pytest.fixture(scope="module")
def browser(report: tuple[Path, object]) -> Iterator[Any]:
    """Chromium with the report open."""
    with chromium.opened(report[0]) as opened:
        yield opened


def test_it_is_complete_and_asks_for_nothing(browser: Any, report: tuple[Path, object]) -> None:
    assert chromium.asked_for(browser) == {report[0].as_uri()}
    assert browser.get_log("browser") == []
    sizes = browser.execute_script(chromium.SIZES)
    assert len(sizes) == 6
    assert all(width > 300 and height > 50 for width, height in sizes)


def test_it_shows_the_metrics_that_were_printed(browser: Any, report: tuple[Path, dict[str, list[float]]]) -> None:
    tiles = browser.execute_script(
        "return [...document.querySelectorAll('.numbers > div')].map((each) => each.innerText.split(/\\n+/))"
    )
    assert [name for name, *_ in tiles] == list(NAMES.values())
    for (_, value, bounds), printed in zip(tiles, report[1].values(), strict=True):
        found = [float(number) for number in (value, *bounds.split(" \N{EN DASH} "))]
        assert found == pytest.approx(printed, abs=0.00051)
    with (report[0].parent / "classes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert browser.execute_script(COLUMN, 0) == list(maker.CLASSES)  # as text, not as elements
    assert browser.execute_script(COLUMN, 2) == [shown(float(row["ap"])) for row in rows]


def test_the_table_sorts_and_searches(browser: Any) -> None:
    from selenium.webdriver.common.by import By

    heads = browser.find_elements(By.CSS_SELECTOR, "thead button")
    ap = browser.execute_script(COLUMN, 2)
    heads[2].click()
    assert browser.execute_script(COLUMN, 2) == sorted(ap, reverse=True)
    heads[2].click()
    assert browser.execute_script(COLUMN, 2) == sorted(ap)
    heads[0].click()
    assert browser.execute_script(COLUMN, 0)[-1] == "playing flute"
    search = browser.find_element(By.CSS_SELECTOR, "input")
    search.send_keys("DOG")
    assert browser.execute_script(COLUMN, 0) == ["dog bow-wow"]
    assert browser.find_element(By.CSS_SELECTOR, "output").text == "1 of 6"
    search.clear()


def test_it_follows_the_color_scheme(browser: Any) -> None:
    assert all(light != dark for light, dark in chromium.in_each_color_scheme(browser))


def test_it_fits_a_phone(browser: Any) -> None:
    with chromium.on_a_phone(browser):
        assert browser.execute_script("return document.documentElement.scrollWidth") == chromium.PHONE["width"]
        assert all(250 < width < chromium.PHONE["width"] for width, _ in browser.execute_script(chromium.SIZES))
