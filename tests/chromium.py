"""A real browser for tests of pages: what it asks for, what its console says, and how large figures are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = "--headless=new --no-sandbox --disable-dev-shm-usage --window-size=1200,900"
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
REQUESTS = ("Network.requestWillBeSent", "Network.webSocketCreated")
SIZES = """return [...document.querySelectorAll("figure svg, figure ul")].map(
  (each) => {const box = each.getBoundingClientRect(); return [box.width, box.height]})"""
COLORS = """const color = (one, name) => getComputedStyle(document.querySelector(one))[name];
return [color('body', 'backgroundColor'), color('body', 'color'), color('svg text', 'fill')]"""

needed = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="Chromium is not installed: apt-get install chromium chromium-driver"
    ),
]


@contextmanager
def opened(page: Path) -> Iterator[Any]:
    """Chromium with the page open."""
    with started(FLAGS) as driver:
        driver.get(page.as_uri())
        yield driver


@contextmanager
def started(flags: str) -> Iterator[Any]:
    """Chromium with nothing open yet."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in flags.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def asked_for(browser: Any) -> set[str]:
    """The URLs that were requested since the last call, but for those that hold their data."""
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {event["params"]["request"]["url"] for event in sent if event["method"] in REQUESTS}
    return {url for url in asked if not url.startswith("data:")}


def in_each_color_scheme(browser: Any) -> list[tuple[str, str]]:
    """Some colors of the page, in light and dark."""
    seen = []
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        seen.append(browser.execute_script(COLORS))
    return list(zip(*seen, strict=True))


@contextmanager
def on_a_phone(browser: Any) -> Iterator[None]:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
