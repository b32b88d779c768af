"""The report of the runs on a folder, and its numbers in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest
import run_maker

from torch_zoo.utils.reports import __main__ as command
from torch_zoo.utils.reports.page import shown
from torch_zoo.utils.runs.history import Run, runs

pytest.importorskip("matplotlib")

TILES = "return [...document.querySelectorAll('.numbers > div')].map((each) => each.innerText.split(/\\n+/))"
BARS = "return [...document.querySelectorAll('.bars li')].map((each) => each.innerText.split(/\\n+/))"
TABLE = """return [...document.querySelectorAll("table")].find(
  (table) => table.tHead.innerText.includes(arguments[0])).tBodies[0].innerText.trim().split(/\\n/)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features")
    run_maker.write_runs(folder)
    assert command.main([str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def latest(folder: Path) -> Run:
    return runs(str(folder))[-1]


def test_the_command_names_the_file_it_wrote(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'runs/report.html'}\n"


def test_a_folder_without_runs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path)]) == 2
    assert f"{tmp_path}: no record of a run there" in capsys.readouterr().err


def test_a_missing_library_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch_zoo.utils.extras.find_spec", lambda name: None)
    assert command.main([str(folder)]) == 2
    assert 'pip install "torch-zoo[report]"' in capsys.readouterr().err


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Any]:
    pytest.importorskip("selenium")
    with chromium.opened(folder / "runs/report.html") as browser:
        yield browser


class TestInChromium:
    pytestmark = chromium.needed

    def test_it_is_complete_and_asks_for_nothing(self, browser: Any, folder: Path) -> None:
        assert chromium.asked_for(browser) == {(folder / "runs/report.html").as_uri()}
        assert browser.get_log("browser") == []
        sizes = browser.execute_script(chromium.SIZES)
        assert len(sizes) == 9  # four over time, workers, states, durations, reasons, norms
        assert all(width > 300 and height > 50 for width, height in sizes)
        assert not browser.execute_script("return document.images.length")  # the path of a failed source is text

    def test_it_shows_the_numbers_of_the_latest_record(self, browser: Any, latest: Run) -> None:
        tiles = {name: (value, note) for name, value, note in browser.execute_script(TILES)}
        sources, workers = latest["sources"], latest["workers"]
        assert tiles["Done"] == (shown(sources["done"]), "30 done before")
        assert tiles["Failed"] == (shown(sources["failed"]), f"of {sources['done'] + sources['failed']:,} tried")
        busy, elapsed = (sum(each[name] for each in workers.values()) for name in ("busy_seconds", "seconds"))
        assert tiles["Devices busy"][0] == f"{busy / elapsed:.0%}"
        bars = {label: text for label, text, *_ in browser.execute_script(BARS)}
        assert bars["done before"].startswith("30 (")
        each = workers["cuda:1"]
        computes, waits = (each[f"{name}_seconds"] / each["seconds"] for name in ("busy", "waiting"))
        assert bars["cuda:1"] == f"computes {computes:.0%}, waits {waits:.0%}"
        for each in latest["failures"]:
            assert bars[f"{each['reason']} (e.g. {each['example']})"] == shown(each["count"])
        assert any(run_maker.HOSTILE in label for label in bars)

    def test_it_lists_all_runs_and_what_is_suspicious(self, browser: Any, folder: Path, latest: Run) -> None:
        listed = browser.execute_script(TABLE, "Times real time")
        assert len(listed) == 2
        for line, run in zip(listed, (latest, runs(str(folder))[0]), strict=True):
            assert line.split("\t")[2] == shown(run["sources"]["done"])
        suspects = browser.execute_script(TABLE, "What is suspicious")
        assert all(line.endswith("all zeros") for line in suspects)
        assert len(suspects) == 20

    def test_its_links_lead_to_files_of_the_run(self, browser: Any, folder: Path, latest: Run) -> None:
        links = browser.execute_script("return [...document.links].map((each) => each.getAttribute('href'))")
        assert links == ["../failures.csv", f"{latest['name']}/run.log"]
        assert (folder / "runs" / links[1]).exists()

    def test_it_follows_the_color_scheme_and_fits_a_phone(self, browser: Any) -> None:
        assert all(light != dark for light, dark in chromium.in_each_color_scheme(browser))
        with chromium.on_a_phone(browser):
            assert browser.execute_script("return document.documentElement.scrollWidth") == chromium.PHONE["width"]
            assert all(250 < width < chromium.PHONE["width"] for width, _ in browser.execute_script(chromium.SIZES))
