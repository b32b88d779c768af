"""Bad media cost nothing but themselves: each is named with its reason, and the good ones are done."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import ROOT, SPEECH, Result, run

OPTIONS = ("feature_type=vggish", "checkpoint=random", "device=cpu", "on_extraction=save_numpy")
REASONS = {
    "bikes.mp4": "no audio stream",
    "zero.mp4": "empty (0 bytes)",
    "cut.mp4": "",
    "text.mp4": "not a media file",
    "folder": "a folder without media files",
    "gone.mp4": "no such file",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mixed")


@pytest.fixture(scope="module")
def result(folder: Path, bikes: Path, bigbuckbunny: Path, short: Path) -> Result:
    """Good, bad and short files in one run, with batches of one window."""
    shutil.copy(bikes, folder / "bikes.mp4")
    shutil.copy(bigbuckbunny, folder / "bunny.mp4")
    (folder / "zero.mp4").touch()
    (folder / "text.mp4").write_text("no film, but words\n" * 100)
    (folder / "cut.mp4").write_bytes((ROOT / SPEECH).read_bytes()[:-100_000])
    (folder / "folder").mkdir()
    shutil.copy(short, folder)
    (folder / "list.txt").write_text("\n".join(str(folder / name) for name in [*REASONS, "bunny.mp4", "short.wav"]))
    return run(*OPTIONS, f"file_with_video_paths={folder / 'list.txt'}", f"output_path={folder}", "batch_size=1")


def test_good_ones_are_done_and_the_exit_code_tells_of_the_others(result: Result, folder: Path) -> None:
    assert (result.code, result.stdout) == (1, "")
    assert f"1 done, 0 skipped, 1 empty, {len(REASONS)} failed" in result.stderr
    assert "Traceback" not in result.stderr
    bunny = np.load(folder / "vggish/bunny_vggish.npy")
    assert bunny.shape == (5, 128)


@pytest.mark.parametrize("name", REASONS)
def test_reason_is_said_once_and_stands_in_the_table(name: str, result: Result, folder: Path) -> None:
    (line,) = (line for line in result.stderr.splitlines() if f" {folder / name}: " in line)
    reason = line.partition(f" {folder / name}: ")[2]
    assert reason
    assert REASONS[name] in reason
    with (folder / "vggish/failures.csv").open(newline="") as file:
        assert {row["path"]: row["error"] for row in csv.DictReader(file)}[str(folder / name)] == reason


def test_shorter_than_a_window_is_empty_with_a_way_out(result: Result, folder: Path) -> None:
    array = np.load(folder / "vggish/short_vggish.npy")
    assert (array.shape, array.dtype) == ((0, 128), np.float32)
    assert any("short.wav" in line and "last_window=pad" in line for line in result.stderr.splitlines())


def test_table_of_failures_is_a_list_to_start_from(result: Result, folder: Path) -> None:
    failures = folder / "vggish/failures.csv"
    shutil.copy(ROOT / SPEECH, folder / "bikes.mp4")  # one is mended
    second = run(*OPTIONS, f"file_with_video_paths={failures}", f"output_path={folder}")
    assert second.code == 1
    assert f"1 done, 0 skipped, 0 empty, {len(REASONS) - 1} failed" in second.stderr
    assert np.load(folder / "vggish/bikes_vggish.npy").shape[0] > 10
    assert "bikes" not in failures.read_text()
