"""The map in a real browser: it shows the points, and a click on one offers its audio."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import command
import numpy as np
import pyarrow.parquet as pq
import pytest
from chromium import needed, started

FLAGS = (  # WebGL without a graphics card; --no-sandbox, since root can't have one
    "--headless=new --no-sandbox --disable-dev-shm-usage --window-size=1400,900 "
    "--use-angle=swiftshader --enable-unsafe-swiftshader --ignore-gpu-blocklist"
)
SECONDS = 30  # to wait for the page
PLAYERS = "return document.querySelectorAll('audio').length"
LOADED = """
const players = [...document.querySelectorAll('audio')], tell = arguments[0];
const player = players.find((one, at) => players.findIndex(other => other.src === one.src) < at);  // listed and clicked
const answer = () => tell([player.src, player.duration]);
player.onerror = () => tell([player.src, -1]);
if (player.readyState > 0) answer(); else { player.onloadedmetadata = answer; player.load(); }
"""

pytest.importorskip("embedding_atlas", reason="the extra `atlas` is not installed")
pytestmark = needed


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of the sample clips, one row per window."""
    folder = tmp_path_factory.mktemp("map")
    ran = command.run(*command.SAMPLES, "feature_type=vggish", "on_extraction=save_table", f"output_path={folder}")
    assert ran.code == 0, ran.stderr
    return folder / "vggish" / "embeddings.parquet"


@pytest.fixture
def address(table: Path) -> Iterator[str]:
    """Where the map is served."""
    served = [sys.executable, "-m", "torch_zoo.utils.maps.atlas", str(table), "--port", "0"]
    with subprocess.Popen(served, cwd=command.ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().partition(" is at ")[2].split(" ")[0]
        finally:
            server.terminate()


def test_clicking_a_point_offers_its_audio(address: str, table: Path, tmp_path: Path) -> None:
    from PIL import Image
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    rows = pq.read_table(table, columns=["name", "start", "end"]).to_pylist()
    with started(FLAGS) as browser:
        browser.set_script_timeout(SECONDS)
        browser.get(address)

        def dots() -> np.ndarray:
            """(n, 2) positions of colored pixels in the canvas, between its controls and its legend."""
            canvas = browser.find_element(By.TAG_NAME, "canvas").rect
            screenshot = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("HSV")
            saturation = np.asarray(screenshot)[:, :, 1] > 100
            top, left = int(canvas["y"]) + 50, int(canvas["x"]) + 10
            area = saturation[top : int(canvas["y"] + canvas["height"]) - 40, left : int(left + canvas["width"] - 250)]
            return np.argwhere(area) + np.array([top, left])

        def text() -> str:
            return browser.find_element(By.TAG_NAME, "body").text

        assert command.wait_until(lambda: browser.find_elements(By.TAG_NAME, "canvas") and "points" in text(), SECONDS)
        assert f"{len(rows)} points" in text()
        assert command.wait_until(lambda: browser.execute_script(PLAYERS) == len(rows), SECONDS)  # in the list below
        assert command.wait_until(lambda: len(drawn := dots()) > 20 and np.array_equal(drawn, dots()), SECONDS)
        y, x = _in_the_middle(dots())
        actions = ActionChains(browser)
        actions.w3c_actions.pointer_action.move_to_location(x, y)
        actions.w3c_actions.pointer_action.click()
        actions.perform()
        offered = command.wait_until(lambda: browser.execute_script(PLAYERS) == len(rows) + 1, SECONDS)
        browser.save_screenshot(os.environ.get("ATLAS_PICTURE", str(tmp_path / "atlas.png")))
        assert offered
        place, duration = browser.execute_async_script(LOADED)
        row = rows[int(Path(place).stem)]
        assert duration == pytest.approx(row["end"] - row["start"], abs=0.001)
        button = browser.find_element(By.XPATH, "//button[contains(., 'Nearest Neighbors')]")
        browser.execute_script("arguments[0].click()", button)
        assert command.wait_until(lambda: f"Neighbors of #{Path(place).stem}" in text(), SECONDS)
        assert command.wait_until(lambda: browser.execute_script(PLAYERS) >= len(rows) + 10, SECONDS)  # listed again


def _in_the_middle(places: np.ndarray) -> tuple[int, int]:
    """The center of a dot: row and column of the position with the most others nearby."""
    near = np.abs(places[:, None] - places[None]).max(axis=2) < 4
    row, column = places[near.sum(axis=1).argmax()].tolist()
    return row, column
