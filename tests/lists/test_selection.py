"""From a list of a data set and a folder of media to sources."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from torch_zoo.utils import storage
from torch_zoo.utils.sources import Inputs, Selection
from torch_zoo.utils.types import Source, UsageError

LIST = """\
---g-f_I2yQ,1,people marching,test
QDppmIicknY,30,"pigeon, dove cooing",train
glLQrEijrKg,300,playing hammond organ,test
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "---g-f_I2yQ_000001.mp4",
        "part/QDppmIicknY.mp4",
        "._glLQrEijrKg_000300.mp4",
        ".trash/glLQrEijrKg.mp4",
    ):
        (tmp_path / "clips" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clips" / name).touch()
    (tmp_path / "vggsound.csv").write_text(LIST)
    monkeypatch.chdir(tmp_path)


def select(**options: Any) -> Selection:
    return Inputs(**{"file_with_video_paths": "vggsound.csv", "data_path": "clips", **options}).select()


def test_clips_labels_and_splits() -> None:
    selection = select()
    march = {"video_id": "---g-f_I2yQ", "label": "people marching", "split": "test"}
    doves = {"video_id": "QDppmIicknY", "label": "pigeon, dove cooing", "split": "train"}
    organ = {"video_id": "glLQrEijrKg", "label": "playing hammond organ", "split": "test"}
    assert selection.sources == [
        Source("clips/---g-f_I2yQ_000001.mp4", "---g-f_I2yQ_000001", 0.0, None, march),
        Source("clips/part/QDppmIicknY.mp4", "QDppmIicknY_000030", 30.0, 40.0, doves),
        Source("clips/glLQrEijrKg_000300.mp4", "glLQrEijrKg_000300", 0.0, None, organ),  # hidden files are no media
    ]
    assert selection.missing == {"glLQrEijrKg_000300": "no glLQrEijrKg_000300.* or glLQrEijrKg.* in clips"}
    assert selection.notes == ["vggsound.csv: read as VGGSound's list of videos (id, start, label, split)"]


def test_one_listing_and_not_one_look_per_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> bool:
        raise AssertionError(path)

    monkeypatch.setattr("os.path.exists", refuse)
    assert len(select().sources) == 3


def test_split() -> None:
    assert [source.columns["split"] for source in select(split="test").sources] == ["test", "test"]
    with pytest.raises(UsageError, match=r"split=eval: vggsound\.csv has other splits: test \(2 .*\), train \(1 .*\)"):
        select(split="eval")


def test_split_of_a_table_of_ones_own() -> None:
    Path("own.csv").write_text("path,split\nclips/part/QDppmIicknY.mp4,train\nclips/---g-f_I2yQ_000001.mp4,test\n")
    selection = select(file_with_video_paths="own.csv", split="test")
    assert [source.name for source in selection.sources] == ["---g-f_I2yQ_000001"]
    assert selection.notes == ["data_path=clips is not used: own.csv names paths, not ids"]
    Path("list.txt").write_text("clips\n")
    with pytest.raises(UsageError, match=r"split=test: list\.txt has no splits"):
        select(file_with_video_paths="list.txt", split="test")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_path": None}, r"vggsound\.csv is VGGSound's list of videos .*: give data_path=FOLDER"),
        ({"data_path": "gone"}, "data_path=gone: no such folder"),
        (
            {"data_path": "empty"},
            r"vggsound\.csv: none of its 3 clips is there, e\.g\. no ---g-f_I2yQ_000001\.\* or .* in empty",
        ),
        (
            {"missing": "refuse"},
            r"missing=refuse: 1 of 3 sources are missing, e\.g\. clips/glLQ.*mp4 \(vggsound\.csv, line 3\): no glLQ",
        ),
    ],
)
def test_where_media_are_looked_for(options: dict[str, Any], message: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(UsageError, match=message) as raised:
        select(**options)
    assert "\n" not in str(raised.value)


def test_data_path_may_be_in_the_home_folder_or_a_file_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    for folder in ("~/clips", Path("clips").resolve().as_uri()):
        assert set(select(data_path=folder).missing) == set(select().missing)


def test_the_same_seconds_under_two_names_stay_two_rows(caplog: pytest.LogCaptureFixture) -> None:
    row = "clips/part/QDppmIicknY.mp4,1,2"
    Path("own.csv").write_text(f"path,start,end,name\n{row},a\n{row},b\n{row},a\n{row},b\n{row},a\n")
    with caplog.at_level(logging.WARNING):
        names = [source.name for source in select(file_with_video_paths="own.csv").sources]
    assert names == ["a", "b"]
    assert caplog.messages == [
        "3 duplicates are left out, e.g. clips/part/QDppmIicknY.mp4 [1\N{EN DASH}2 s] (own.csv, line 4)"
    ]


def test_list_and_media_behind_urls(bucket: str) -> None:
    for name, content in (
        ("vggsound.csv", LIST),
        ("media/deep/QDppmIicknY_000030.mp4", "x"),
        ("media/.glLQrEijrKg.mp4", "x"),
    ):
        with storage.atomic_write(f"{bucket}/{name}") as file:
            file.write(content.encode())
    selection = select(file_with_video_paths=f"{bucket}/vggsound.csv", data_path=f"{bucket}/media")
    assert [(source.path.removeprefix(f"{bucket}/media/"), source.name) for source in selection.sources] == [
        ("---g-f_I2yQ_000001.mp4", "---g-f_I2yQ_000001"),
        ("deep/QDppmIicknY_000030.mp4", "QDppmIicknY_000030"),
        ("glLQrEijrKg_000300.mp4", "glLQrEijrKg_000300"),
    ]
    assert set(selection.missing) == {"---g-f_I2yQ_000001", "glLQrEijrKg_000300"}
