"""Files of clips in a folder: cut or whole, under the names that data sets and their tools use."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from torch_zoo.utils.lists.clips import Clip, locate
from torch_zoo.utils.types import Source

ID = "-0RWZT-miFs"


def clip(video: str = ID, start: float = 30.0, end: float | None = 40.0) -> Clip:
    return Clip(f"{video}_named", video, start, end, {"label": "x"})


def located(file: str, **changes: Any) -> Source:
    [(source, missing)] = locate([clip(**changes)], "clips", [file])
    assert missing == ""
    return source


@pytest.mark.parametrize(
    "stem", [f"{ID}_named", f"{ID}_000030", f"{ID}_30", f"{ID}_30.000", f"{ID}_30_40", f"{ID}_30.000_40.000"]
)
def test_a_file_that_is_cut_is_read_whole(stem: str) -> None:
    assert located(f"clips/a/{stem}.webm") == Source(f"clips/a/{stem}.webm", f"{ID}_named", 0.0, None, {"label": "x"})


@pytest.mark.parametrize(("video", "stem"), [(ID, ID), (ID, f"v_{ID}"), (f"v_{ID}", ID), (f"v_{ID}", f"v_{ID}")])
def test_of_a_whole_video_the_segment_is_read(video: str, stem: str) -> None:
    assert located(f"clips/{stem}.mkv", video=video) == Source(
        f"clips/{stem}.mkv", f"{video}_named", 30.0, 40.0, {"label": "x"}
    )


def test_a_clip_that_is_a_whole_video() -> None:
    source = located(f"clips/{ID}.wav", start=0.0, end=None)
    assert (source.start, source.end) == (0.0, None)


def test_a_cut_file_is_preferred_to_the_video_and_mp4_to_other_files(caplog: pytest.LogCaptureFixture) -> None:
    files = [f"clips/{ID}.mp4", f"clips/{ID}_30.flac", f"clips/{ID}_30.mp4"]
    with caplog.at_level(logging.WARNING):
        [(source, _)] = locate([clip()], "clips", files)
    assert source.path == f"clips/{ID}_30.mp4"
    assert caplog.messages == [f"clips with several files: 1, e.g. clips/{ID}_30.mp4 is taken, not clips/{ID}_30.flac"]


@pytest.mark.parametrize(
    ("file", "expected", "start"),
    [("aaaaaaaaaaa_000030.mp4", f"clips/{ID}_000030.mp4", 0.0), ("v_aaaaaaaaaaa.mp4", f"clips/v_{ID}.mp4", 30.0)],
)
def test_a_missing_file_is_expected_to_be_called_as_the_others(file: str, expected: str, start: float) -> None:
    (_, there), (source, missing) = locate([clip("aaaaaaaaaaa"), clip()], "clips", [f"clips/{file}"])
    assert (there, missing) == ("", f"no {ID}_named.* or {ID}.* in clips")
    assert (source.path, source.start) == (expected, start)


def test_files_on_object_storage() -> None:
    url = f"s3://bucket/clips/{ID}_000030.mp4"
    [(source, missing)] = locate([clip()], "s3://bucket/clips", [url])
    assert (source.path, missing) == (url, "")
