"""The report of an evaluation in a real browser: complete, without requests, sortable, on any screen."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import predictions_maker as maker
import pytest

from torch_zoo.models.vggsound import evaluate
from torch_zoo.models.vggsound.evaluation_page import NAMES
from torch_zoo.utils.reports.page import shown

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = "--headless=new --no-sandbox --disable-dev-shm-usage --window-size=1200,900"
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
REQUESTS = ("Network.requestWillBeSent", "Network.webSocketCreated")
SIZES = """return [...document.querySelectorAll("figure svg, figure ul")].map(
  (each) => {const box = each.getBoundingClientRect(); return [box.width, box.height]})"""
COLUMN = """return [...document.querySelectorAll("tbody tr")].filter((row) => !row.hidden).map(
  (row) => row.cells[arguments[0]].textContent)"""

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("selenium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="Chromium is not installed: apt-get install chromium chromium-driver"
    ),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[float]]]:
    """The HTML file, and the metrics that were printed with it."""
    folder = tmp_path_factory.mktemp("report")
    maker.write_data_set(folder)
    given = (str(folder / name) for name in ("predictions", "test.csv"))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert evaluate.main([*given, "--classes", str(folder / "classes.txt"), "--output-path", str(folder)]) == 0
    lines = (line.partition(": ") for line in printed.getvalue().splitlines())
    return folder / "report.html", {
        name: [float(number.strip("[],")) for number in numbers.split()] for name, _, numbers in lines
    }


@pytest.fixture(scope="module")
def browser(report: tuple[Path, object]) -> Iterator[Any]:
    """Chromium with the report open."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        opened.get(report[0].as_uri())
        yield opened
    finally:
        opened.quit()


def test_it_is_complete_and_asks_for_nothing(browser: Any, report: tuple[Path, object]) -> None:
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {event["params"]["request"]["url"] for event in sent if event["method"] in REQUESTS}
    assert {url for url in asked if not url.startswith("data:")} == {report[0].as_uri()}
    assert browser.get_log("browser") == []
    sizes = browser.execute_script(SIZES)
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
    seen = []
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        seen.append(
            browser.execute_script(
                "const color = (one, name) => getComputedStyle(document.querySelector(one))[name];"
                "return [color('body', 'backgroundColor'), color('body', 'color'), color('svg text', 'fill')]"
            )
        )
    assert all(light != dark for light, dark in zip(*seen, strict=True))


def test_it_fits_a_phone(browser: Any) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE["width"]
        assert all(250 < width < PHONE["width"] for width, _ in browser.execute_script(SIZES))
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
