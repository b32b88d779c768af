"""Lists of media: text files, and tables with segments."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from torch_zoo.utils.lists.text import beginning
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.types import Source, UsageError


@pytest.fixture(autouse=True)
def in_a_folder_of_media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.mp4", "b.MKV"):
        (tmp_path / name).write_text("x")
    monkeypatch.chdir(tmp_path)


def from_file(name: str, content: str | bytes) -> list[Source]:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Inputs(file_with_video_paths=name).select().sources


def test_text_file_with_comments_blanks_byte_order_mark_and_windows_line_ends() -> None:
    sources = from_file("list.txt", b"\xef\xbb\xbfa.mp4\r\n\r\n# a comment\r\n  b.MKV  \r\n")
    assert [source.path for source in sources] == ["a.mp4", "b.MKV"]


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


@pytest.mark.parametrize(
    ("text", "seconds"), [("90.5", 90.5), ("1:30.5", 90.5), ("90:00", 5400.0), ("0:01:30.500", 90.5), ("27:46:40", 1e5)]
)
def test_times_are_seconds_or_on_a_clock(text: str, seconds: float) -> None:
    assert from_file("list.csv", f"path,start\na.mp4,{text}\n")[0].start == seconds


def test_spaces_around_fields_and_rows_that_end_early() -> None:
    sources = from_file("list.csv", "path, start , end, label\na.mp4 , 1, 2, dog \n\na.mp4\n")
    assert sources == [Source("a.mp4", "a_1_2", 1.0, 2.0, {"label": "dog"}), Source("a.mp4", "a")]


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
        ("path,name\na.mp4,../x\n", "line 2: name=../x must not contain a folder"),
        ("path,start\na.mp4,1e308\n", "line 2: 1e308 s is longer than any recording"),
        ('path,name\na.mp4,"one\nb.MKV,two\n', "list.csv, line 2: unexpected end of data; close every quotation mark"),
        ('path,name\na.mp4,one\n"a"b.mp4,two\n', "list.csv, line 3: .*; close every quotation mark"),
        (f"path,name\na.mp4,one\na.mp4,{'x' * 140_000}\n", "list.csv, line 3: field larger than field limit"),
        (
            "path\na.mp4\na, b.mp4\n",
            "list.csv, line 3: 2 fields, more than there are columns \\(1\\); put quotes around a field",
        ),
        ("path,Start\na.mp4,1\n", "line 1: the column Start must be called start"),
        ("path,end_time\na.mp4,1\n", "line 1: the column end_time must be called end"),
        ("filename,label\na.mp4,1\n", "line 1: the column filename must be called path"),
        ("path,end,end\na.mp4,1,2\n", "line 1: two columns are called end"),
        ("path,start\na.mp4,1:75\n", "line 2: '1:75' is not a number of seconds, nor h:mm:ss"),
        ("path,start\na.mp4,1:99:00\n", "line 2: '1:99:00' is not a number of seconds, nor h:mm:ss"),
        ("path\na.mp4\nb\0.mp4\n", "list.csv, line 3: .*NUL"),
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
    with pytest.raises(UsageError, match=r"list\.txt, line 1: not a text file"):
        from_file("list.txt", b"\x00\xff\xfe\x80")


def test_a_list_that_is_no_text_is_refused_by_its_beginning(tmp_path: Path) -> None:
    """An unfinished download may have gigabytes of zeros, and not one line."""
    (tmp_path / "list.txt").write_bytes(b"a.mp4\n" + bytes(100))
    with pytest.raises(UsageError, match=r"list\.txt, line 2: not a text file"):
        beginning(str(tmp_path / "list.txt"))


@pytest.mark.parametrize("file", ["/dev/zero", "."])
def test_list_that_is_no_regular_file(file: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(file)}: not a regular file"):
        Inputs(file_with_video_paths=file).select()


@pytest.mark.parametrize("name", ["a\rb.mp4", "a\nb.mp4", "a\u2028b.mp4", 'a"b.mp4', "a\udcffb.mp4"])
def test_any_name_in_a_table_that_csv_wrote(name: str) -> None:
    Path(name).write_text("x")
    with open("list.csv", "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file).writerows([["path"], [name]])
    assert Inputs(file_with_video_paths="list.csv").select().sources[0].path == name


def test_line_separators_of_unicode_end_no_line_of_a_text_file() -> None:
    Path("a\u2028b.mp4").write_text("x")
    assert [source.path for source in from_file("list.txt", "a\u2028b.mp4\na.mp4\n")] == ["a\u2028b.mp4", "a.mp4"]


def test_segments_close_together_have_names_of_their_own() -> None:
    sources = from_file("list.csv", "path,start,end\na.mp4,10000.12,10001\na.mp4,10000.14,10001\na.mp4,30,40\n")
    assert [source.name for source in sources] == ["a_10000.12_10001", "a_10000.14_10001", "a_30_40"]
