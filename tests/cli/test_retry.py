"""Sources that failed before: the command as a user gives it again."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from command import MUSIC, ROOT, Result, run


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A clip, a truncated one and none."""
    folder = tmp_path / "media"
    folder.mkdir()
    shutil.copy(ROOT / MUSIC, folder / "good.mp4")
    (folder / "bad.mp4").write_bytes((ROOT / MUSIC).read_bytes()[:30_000])
    (folder / "worse.mp4").write_text("x")
    return folder


def extract(tmp_path: Path, *options: object, sink: str = "save_numpy") -> Result:
    command = "feature_type=vggish checkpoint=random device=cpu".split()
    return run(*command, f"on_extraction={sink}", f"output_path={tmp_path}", *options)


def rows(failures: Path) -> dict[str, dict[str, str]]:
    with failures.open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_what_failed_is_tried_again_once_it_has_changed_or_on_demand(media: Path, tmp_path: Path) -> None:
    bad, worse, failures = media / "bad.mp4", media / "worse.mp4", tmp_path / "vggish/failures.csv"
    first = extract(tmp_path, f"video_paths={media}")
    assert (first.code, "1 done, 0 skipped, 0 empty, 2 failed;" in first.stderr) == (1, True), first.stderr
    assert f"what failed is listed in {failures}; retry=failed tries it again" in first.stderr
    listed = rows(failures)

    known = extract(tmp_path, f"video_paths={media}")
    assert (known.code, "0 done, 1 skipped, 0 empty, 2 failed (2 known);" in known.stderr) == (1, True), known.stderr
    assert f"2 sources are known to fail and not tried, e.g. {bad}: {listed['bad']['error']}; retry=all" in known.stderr
    assert f"\n  {worse}: not a media file" in known.stderr
    assert rows(failures) == listed

    for path in (bad, worse):
        shutil.copy(ROOT / MUSIC, path)
    mended = extract(tmp_path, "retry=failed")
    assert (mended.code, "2 done, 0 skipped, 0 empty, 0 failed;" in mended.stderr) == (0, True), mended.stderr
    assert not failures.exists()


def test_a_sink_that_keeps_nothing_knows_no_failures(media: Path, tmp_path: Path) -> None:
    bad = f"video_paths={media / 'bad.mp4'}"
    extract(tmp_path, bad)
    result = extract(tmp_path, bad, sink="print")
    assert (result.code, f"failed: {media / 'bad.mp4'}: truncated" in result.stderr) == (1, True), result.stderr
