"""ActivityNet's annotations and captions."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from torch_zoo.utils.lists import activitynet
from torch_zoo.utils.lists.clips import Clip
from torch_zoo.utils.types import UsageError


def clips(folder: Path, content: Any) -> list[Clip]:
    (folder / "list.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return [clip for _, clip in activitynet.clips(str(folder / "list.json"))]


def labeled(**annotation: Any) -> dict[str, Any]:
    return {"database": {"sJFgo9H6zNo": {"duration": 124.23, "subset": "validation", "annotations": [annotation]}}}


def test_annotations(tmp_path: Path) -> None:
    said = {"video_id": "sJFgo9H6zNo", "split": "validation"}
    content = labeled(segment=[0.01, 123.1], label="Fun sliding down")
    content["database"]["v_unlabeled1"] = {"duration": 12.5, "subset": "testing", "annotations": []}
    assert clips(tmp_path, content) == [
        Clip("sJFgo9H6zNo_0.01_123.1", "sJFgo9H6zNo", 0.01, 123.1, {**said, "label": "Fun sliding down"}),
        Clip("v_unlabeled1", "v_unlabeled1", 0.0, None, {"video_id": "v_unlabeled1", "split": "testing"}),
    ]


def test_captions_of_the_same_seconds_stay_apart(tmp_path: Path) -> None:
    sentences = [" A man walks.", "He sits down.", "Someone walks."]
    content = {"v_QOlSCBRmfWY": {"duration": 82.73, "timestamps": [[0, 9], [9, 82.73], [0, 9]], "sentences": sentences}}
    assert [(clip.name, clip.start, clip.end, clip.columns["sentence"]) for clip in clips(tmp_path, content)] == [
        ("v_QOlSCBRmfWY_0_9", 0.0, 9.0, "A man walks."),
        ("v_QOlSCBRmfWY_9_82.73", 9.0, 82.73, "He sits down."),
        ("v_QOlSCBRmfWY_0_9_2", 0.0, 9.0, "Someone walks."),
    ]


def test_segments_of_no_length_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = {"v_a": {"timestamps": [[3, 3], [5, 2], [0, 1]], "sentences": ["a", "b", "c"]}}
    with caplog.at_level(logging.WARNING):
        assert [clip.name for clip in clips(tmp_path, content)] == ["v_a_0_1"]
    [record] = caplog.records
    assert "segments without a length, left out: 2, e.g. " in record.message
    assert record.message.endswith("list.json, v_a, [3, 3]")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"database": ', r"list\.json: not JSON: Expecting value: line 1"),
        ('{"a":' * 100_000, r"list\.json: not JSON"),
        ('{"database": {"v\\ud800": {"annotations": []}}}', r"list\.json: .\\ud800. is half of a character"),
        ([{"id": "a"}], "not a list of videos"),
        ({"database": {"a": 3}}, r"list\.json, a: there are neither annotations nor timestamps"),
        ({"info": {"year": 2017}, "images": []}, r"list\.json, info: there are neither annotations"),
        ({"v_a": {"timestamps": [[0, 1]], "sentences": []}}, "timestamps with as many sentences"),
        ({"v_a": {"timestamps": [[0, 1, 2]], "sentences": ["a"]}}, r"v_a: \[0, 1, 2\] is not a segment"),
        ({"v_a": {"timestamps": [["0", 1]], "sentences": ["a"]}}, "is not a segment"),
        ('{"v_a": {"timestamps": [[0, NaN]], "sentences": ["a"]}}', "is not a segment"),
        ('{"v_a": {"timestamps": [[0, 1e400]], "sentences": ["a"]}}', "is not a segment"),
        (labeled(segment=[0, 1]), "sJFgo9H6zNo: an annotation is not"),
        ({"../a": {"annotations": []}}, r"\.\./a: an id is the name of a video's file"),
    ],
)
def test_json_of_another_shape_is_named(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        clips(tmp_path, content)
    assert "\n" not in str(raised.value)
