"""Sources that failed before: the command as a user gives it again."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from command import MUSIC, ROOT, Result, run


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A clip and a truncated one."""
    folder = tmp_path / "media"
    folder.mkdir()
    shutil.copy(ROOT / MUSIC, folder / "good.mp4")
    (folder / "bad.mp4").write_bytes((ROOT / MUSIC).read_bytes()[:30_000])
    return folder


def extract(tmp_path: Path, *options: object, sink: str = "save_numpy") -> Result:
    command = f"feature_type=vggish checkpoint=random device=cpu on_extraction={sink}".split()
    return run(*command, f"output_path={tmp_path}", *options)


def test_what_failed_is_tried_again_once_it_has_changed_or_on_demand(media: Path, tmp_path: Path) -> None:
    bad, failures = media / "bad.mp4", tmp_path / "vggish/failures.csv"
    first = extract(tmp_path, f"video_paths={media}")
    assert (first.code, "1 done, 0 skipped, 0 empty, 1 failed;" in first.stderr) == (1, True), first.stderr
    assert f"what failed is listed in {failures}; retry=failed tries it again" in first.stderr
    listed = failures.read_text()
    [row] = csv.DictReader(listed.splitlines())

    known = extract(tmp_path, f"video_paths={media}")
    assert (known.code, "0 done, 1 skipped, 0 empty, 1 failed (1 known);" in known.stderr) == (1, True), known.stderr
    assert f"1 source is known to fail and not tried, e.g. {bad}: {row['error']}; retry=all" in known.stderr
    assert known.stderr.count(row["error"]) == 1  # it is still in view
    assert failures.read_text() == listed

    shutil.copy(ROOT / MUSIC, bad)
    mended = extract(tmp_path, "retry=failed")
    assert (mended.code, "1 done, 0 skipped, 0 empty, 0 failed;" in mended.stderr) == (0, True), mended.stderr
    assert not failures.exists()


def test_a_sink_that_keeps_nothing_knows_no_failures(media: Path, tmp_path: Path) -> None:
    bad = f"video_paths={media / 'bad.mp4'}"
    extract(tmp_path, bad)
    result = extract(tmp_path, bad, sink="print")
    assert (result.code, f"failed: {media / 'bad.mp4'}: truncated" in result.stderr) == (1, True), result.stderr
