"""The site that `make docs` has built, in a browser: its search finds things, and it asks nobody else."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from chromium import FLAGS, asked_for, needed, started

pytest.importorskip("mkdocs")
pytestmark = needed

SITE = Path(__file__).parents[2] / "site"
RESULTS = "[data-md-component=search-result] .md-search-result__item a"


@pytest.fixture
def served() -> Iterator[str]:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def browser() -> Iterator[Any]:
    with started(FLAGS) as driver:
        yield driver


def test_a_reader_finds_an_option_and_the_browser_asks_nobody_else(served: str, browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    for page in ("", "api/", "vggish/"):
        browser.get(served + page)
    browser.find_element(By.CSS_SELECTOR, "[data-md-component=search-query]").send_keys("extraction_fps")
    WebDriverWait(browser, 30).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, RESULTS))
    found = {link.get_attribute("href") for link in browser.find_elements(By.CSS_SELECTOR, RESULTS)}
    assert any("/i3d/" in url or "/options/" in url for url in found)
    asked = asked_for(browser)
    assert any("search_index" in url for url in asked)
    assert {url for url in asked if not url.startswith(served)} == set()
