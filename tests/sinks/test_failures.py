"""What failed stays listed until it is tried again, and the list is one of sources."""

from __future__ import annotations

import csv
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from torch_zoo.utils.sinks import failures
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.types import Outcome, Source


def listed(folder: Path) -> list[str]:
    if not (folder / "failures.csv").exists():
        return []
    with (folder / "failures.csv").open(newline="") as file:
        return [row["name"] for row in csv.DictReader(file)]


def test_failures_stay_listed_until_they_are_tried_again(tmp_path: Path) -> None:
    def report(*outcomes: Outcome) -> None:
        failed = [outcome for outcome in outcomes if outcome.status == "failed"]
        failures.update(str(tmp_path), {outcome.source.name for outcome in outcomes}, failed)

    a, b, c = (Source(f"{name}.mp4", name) for name in "abc")
    report(Outcome(a, "failed", "no audio stream"), Outcome(b, "failed", "truncated"))
    assert listed(tmp_path) == ["a", "b"]
    report(Outcome(c, "done"))
    assert listed(tmp_path) == ["a", "b"]
    report(Outcome(b, "done"), Outcome(c, "failed", "truncated"))
    assert listed(tmp_path) == ["a", "c"]
    report(Outcome(a, "done"), Outcome(c, "empty"))
    assert list(tmp_path.iterdir()) == []


def test_the_list_gives_the_same_sources(tmp_path: Path) -> None:
    media = [tmp_path / name for name in ("a.mp4", "b.mp4")]
    for path in media:
        path.touch()
    (tmp_path / "list.csv").write_text(
        f'path,start,end,labels,video_id,error\n{media[0]},1.5,3,"1,522",-0RW,as the list had it\n{media[1]},,,,,\n'
    )
    first = Inputs(file_with_video_paths=str(tmp_path / "list.csv")).select().sources
    for _ in range(2):  # the second time, the one that was tried last time stays listed
        for source, reason in zip(first, ("truncated", "no audio stream"), strict=True):
            failures.update(str(tmp_path), {source.name}, [Outcome(source, "failed", reason)])
        again = Inputs(file_with_video_paths=str(tmp_path / "failures.csv")).select().sources
        assert [(source.name, dict(source.columns)) for source in again] == [
            ("a_1.5_3", {"labels": "1,522", "video_id": "-0RW"}),
            ("b", {}),
        ]
        first = again
    with (tmp_path / "failures.csv").open(newline="") as file:
        assert [row["error"] for row in csv.DictReader(file)] == ["truncated", "no audio stream"]


@pytest.mark.parametrize(
    "stem", [os.fsdecode(b"caf\xe9"), "two\nlines", "carriage\rreturn", "a\u2028b", '"quoted", too']
)
def test_any_file_name_comes_back(stem: str, tmp_path: Path) -> None:
    source = Source(f"folder/{stem}.mp4", stem)
    file = Path(failures.update(str(tmp_path), set(), [Outcome(source, "failed", "truncated")]))
    failures.update(str(tmp_path), set(), [])  # read and written again
    with file.open(newline="", encoding="utf-8", errors="surrogateescape") as handle:
        [row] = csv.DictReader(handle, strict=True)
    assert (row["path"], row["name"], row["error"]) == (source.path, source.name, "truncated")
    assert os.fsencode(stem).replace(b'"', b'""') in file.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b'path,start,end,name,error\na.mp4,,,a,"never closed\n',
        b"x" * 200_000,
        "path,start,end,name,error\na.mp4,,,a,truncated\n".encode("utf-16"),
        b"path,label\na.mp4,dog\n",
    ],
)
def test_a_damaged_list_is_set_aside(content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "failures.csv").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        failures.update(str(tmp_path), set(), [Outcome(Source("a.mp4", "a"), "failed", "truncated")])
    assert "failures.csv.damaged: not a list of failures" in caplog.text
    assert (tmp_path / "failures.csv.damaged").read_bytes() == content
    assert listed(tmp_path) == ["a"]


def test_a_folder_that_was_deleted_is_not_made_again_for_the_list(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        failures.update(str(tmp_path / "gone"), set(), [Outcome(Source("a.mp4", "a"), "failed", "truncated")])
    assert not (tmp_path / "gone").exists()


def test_shards_that_end_at_the_same_time_keep_each_others_failures(tmp_path: Path) -> None:
    (tmp_path / "sources.jsonl").touch()  # which all runs that store features have
    names = {f"{number}" for number in range(16)}

    def end(name: str) -> None:
        failures.update(str(tmp_path), {name}, [Outcome(Source(f"{name}.mp4", name), "failed", "truncated")])

    with ThreadPoolExecutor(16) as shards:
        list(shards.map(end, names))
    assert set(listed(tmp_path)) == names
