"""What the user names becomes a checked list of sources, each with a name of its own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.types import Source, UsageError


@pytest.fixture(autouse=True)
def in_a_folder_of_media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.mp4", "b.MKV", "notes.txt", "deep/c.wav", "deep/er/a.mp4", "x [1]/d.mp3"):
        (tmp_path / "media" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "media" / name).write_text("x")
    monkeypatch.chdir(tmp_path / "media")


def listed(**options: Any) -> list[str]:
    return [source.path for source in Inputs(**options).sources()]


def from_file(name: str, content: str | bytes) -> list[Source]:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Inputs(file_with_video_paths=name).sources()


def test_path_and_list_of_paths() -> None:
    assert Inputs(video_paths="a.mp4").sources() == [Source("a.mp4", "a")]
    assert listed(video_paths=["b.MKV", "a.mp4"]) == ["b.MKV", "a.mp4"]


def test_file_and_paths_together() -> None:
    Path("list.txt").write_text("a.mp4")
    assert listed(video_paths="b.MKV", file_with_video_paths="list.txt") == ["b.MKV", "a.mp4"]


def test_folder_gives_its_media_sorted_and_nothing_else() -> None:
    assert listed(video_paths=".") == ["./a.mp4", "./b.MKV", "./deep/c.wav", "./deep/er/a.mp4", "./x [1]/d.mp3"]


def test_glob() -> None:
    assert listed(video_paths="*.m*4") == ["a.mp4"]
    assert listed(video_paths="**/*.mp4") == ["a.mp4", "deep/er/a.mp4"]


def test_brackets_in_a_name_that_exists_are_no_glob() -> None:
    assert listed(video_paths="x [1]/d.mp3") == ["x [1]/d.mp3"]
    assert listed(video_paths="x [1]") == ["x [1]/d.mp3"]


def test_text_file_with_comments_blanks_byte_order_mark_and_windows_line_ends() -> None:
    sources = from_file("list.txt", b"\xef\xbb\xbfa.mp4\r\n\r\n# a comment\r\n  x [1]/d.mp3  \r\n")
    assert [source.path for source in sources] == ["a.mp4", "x [1]/d.mp3"]


def test_segments_from_csv() -> None:
    sources = from_file(
        "list.csv", "path,start,end,name\na.mp4,1.5,3,first\na.mp4,2,,\na.mp4,,,whole\na.mp4,0,2.5\nb.MKV,,4,\n"
    )
    assert sources == [
        Source("a.mp4", "first", 1.5, 3.0),
        Source("a.mp4", "a_2_end", 2.0),
        Source("a.mp4", "whole"),
        Source("a.mp4", "a_0_2.5", 0.0, 2.5),
        Source("b.MKV", "b_0_4", 0.0, 4.0),
    ]


def test_csv_with_a_path_only_and_commas_in_quotes() -> None:
    Path("a, b.mp4").write_text("x")
    assert from_file("list.csv", '\ufeffpath\n"a, b.mp4"\n') == [Source("a, b.mp4", "a, b")]


def test_tsv() -> None:
    assert from_file("list.TSV", "path\tend\na.mp4\t2\n") == [Source("a.mp4", "a_0_2", 0.0, 2.0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a.mp4\n", "the first line must name the columns"),
        ("path,start\na.mp4,1\na.mp4,soon\n", "list.csv, line 3: 'soon' is not a number of seconds"),
        ("path,start\na.mp4,nan\n", "line 2: 'nan' is not a number of seconds"),
        ("path,start,end\na.mp4,3,2\n", "line 2: the segment from 3 s to 2 s is empty"),
        ("path,start,end\na.mp4,-1,2\n", "line 2: .* starts before 0"),
        ("path,start\n,1\n", "line 2: no path"),
        ("path,name\na.mp4,../x\n", "line 2: name=../x must not hold a folder"),
        ("path\n", "list is empty"),
        ("", "the first line must name the columns"),
    ],
)
def test_mistakes_in_csv_are_named_with_their_line(content: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_file("list.csv", content)


@pytest.mark.parametrize("content", ["", "\n# nothing\n"])
def test_empty_list(content: str) -> None:
    with pytest.raises(UsageError, match=r"list\.txt: the list is empty"):
        from_file("list.txt", content)


def test_list_that_is_no_text() -> None:
    with pytest.raises(UsageError, match="not a text file"):
        from_file("list.txt", b"\x00\xff\xfe\x80")


def test_same_file_twice_is_taken_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert listed(video_paths=["a.mp4", "./a.mp4", "b.MKV"]) == ["a.mp4", "b.MKV"]
    assert "./a.mp4 is listed twice" in caplog.text


def test_same_name_in_different_folders_is_told_apart_by_the_folders() -> None:
    for folder in ("one/x", "two/x"):
        Path(folder).mkdir(parents=True)
        Path(folder, "clip.mp4").write_text("x")
    sources = Inputs(video_paths=["one/x/clip.mp4", "two/x/clip.mp4", "a.mp4"]).sources()
    assert [source.name for source in sources] == ["one_x_clip", "two_x_clip", "a"]


def test_same_name_in_one_folder_is_refused() -> None:
    Path("a.wav").write_text("x")
    with pytest.raises(UsageError, match=r"a\.mp4 and a\.wav would both be written as a; .* CSV"):
        Inputs(video_paths=["a.mp4", "a.wav"]).sources()


def test_name_from_parents_may_not_meet_a_file_of_that_name() -> None:
    for path in ("one/clip.mp4", "two/clip.mp4", "one_clip.mp4"):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text("x")
    with pytest.raises(UsageError, match="would both be written as one_clip"):
        Inputs(video_paths=["one/clip.mp4", "two/clip.mp4", "one_clip.mp4"]).sources()


def test_addresses_are_passed_on() -> None:
    assert Inputs(video_paths="https://host/v/clip.mp4").sources() == [Source("https://host/v/clip.mp4", "clip")]


def test_missing_files_are_named_at_once() -> None:
    with pytest.raises(UsageError, match=r"2 of 3 files do not exist:\n  gone\.mp4\n  no_\*\.mp4"):
        Inputs(video_paths=["gone.mp4", "a.mp4", "no_*.mp4"]).sources()
