"""VGGSound's two lists of clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from torch_zoo.utils.lists import vggsound
from torch_zoo.utils.lists.vggsound import Row
from torch_zoo.utils.types import UsageError

SHARED = Path(__file__).parents[3] / "shared/sample/vggsound"


def rows(folder: Path, content: str) -> list[Row]:
    (folder / "list.csv").write_bytes(content.encode())
    return list(vggsound.rows(str(folder / "list.csv")))


def test_clips_of_both_lists_have_the_same_names(tmp_path: Path) -> None:
    videos = '---g-f_I2yQ,1,people marching,test\r\nQDppmIicknY,30,"pigeon, dove cooing",train\r\n'
    assert rows(tmp_path, videos) == [
        Row(1, "---g-f_I2yQ_000001", "people marching", "test"),
        Row(2, "QDppmIicknY_000030", "pigeon, dove cooing", "train"),
    ]
    clips = '---g-f_I2yQ_000001.mp4,people marching\r\nQDppmIicknY_000030.mp4,"pigeon, dove cooing"'
    assert [(row.name, row.label) for row in rows(tmp_path, clips)] == [
        ("---g-f_I2yQ_000001", "people marching"),
        ("QDppmIicknY_000030", "pigeon, dove cooing"),
    ]


@pytest.mark.skipif(not SHARED.exists(), reason="the lists belong in the folder `shared` next to the repository")
@pytest.mark.parametrize(("name", "count", "classes"), [("test.csv", 15_446, 309), ("AStest.csv", 6_927, 155)])
def test_the_published_lists(name: str, count: int, classes: int) -> None:
    found = list(vggsound.rows(str(SHARED / name)))
    assert (len(found), len({row.name for row in found}), len({row.label for row in found})) == (count, count, classes)
    assert (found[0].video, found[0].start) == ("glLQrEijrKg", 300.0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("QDppmIicknY,30,dog barking", "3 fields; a row is id,start,label,split"),
        ("QDppmIicknY,30,pigeon, dove cooing,train", "5 fields; a row is id,start,label,split, with quotes"),
        ("QDppmIicknY,30,,train", "an empty field"),
        ("a/b,30,dog barking,train", "'a/b' is not a YouTube id"),
        ("QDppmIicknY,soon,dog barking,train", "'soon' is not a start in seconds"),
        ("QDppmIicknY,-1,dog barking,train", "'-1' is not a start in seconds"),
    ],
)
def test_wrong_rows_are_named_with_their_line(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"list\.csv, line 2: {message}"):
        rows(tmp_path, f"---g-f_I2yQ,1,people marching,test\n{row}\n")


@pytest.mark.parametrize("file", ["../QDppmIicknY_000030.mp4", "QDppmIicknY_30.mp4", "QDppmIicknY.mp4"])
def test_files_that_are_no_clips_are_named(file: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"line 2: '.*' is not <YouTube id>_<start, six digits>\.mp4"):
        rows(tmp_path, f"---g-f_I2yQ_000001.mp4,people marching\n{file},dog barking\n")
