"""VGGSound's lists: `vggsound.csv` (YouTube id, start in seconds, label, split) and `test.csv` (file of a clip, label).

Neither has a header. A clip is ten seconds of a video and is called `<id>_<start, six digits>`, as its file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from torch_zoo.utils.lists.clips import LABEL, SPLIT, VIDEO_ID, Clip, youtube_id
from torch_zoo.utils.lists.text import fields_of, in_line, read_rows
from torch_zoo.utils.types import UsageError

CLIP_SECONDS = 10.0

_VIDEOS = re.compile(r'[\w-]{11},\d+,"?[A-Za-z].*,[A-Za-z]+\r?$', re.ASCII | re.MULTILINE)
_CLIPS = re.compile(r"[\w-]{11}_\d{6}\.\w+,", re.ASCII)
_NAME = re.compile(r"[\w-]{11}_\d{6}", re.ASCII)
_START = re.compile(r"\d{1,6}", re.ASCII)


class Row(NamedTuple):
    line: int
    name: str  # of the clip: QDppmIicknY_000030
    label: str  # the name of its class
    split: str  # train or test; empty in a file that has none

    @property
    def video(self) -> str:
        """The YouTube id."""
        return self.name[:-7]

    @property
    def start(self) -> float:
        """Of the clip in the video, s."""
        return float(self.name[-6:])


def names_videos(beginning: str) -> bool:
    return bool(_VIDEOS.match(beginning))


def names_clips(beginning: str) -> bool:
    return bool(_CLIPS.match(beginning))


def rows(path: str) -> Iterator[Row]:
    """The rows of either list. Raises UsageError, which names file and line."""
    width = 0
    for line, fields in read_rows(path):
        width = width or len(fields)
        yield (_row_of_video if width == 4 else _row_of_clip)(line, fields, in_line(path, line))


def clips(path: str) -> Iterator[tuple[str, Clip]]:
    """Where each clip is named, and the clip. Raises UsageError."""
    for row in rows(path):
        columns = {VIDEO_ID: row.video, LABEL: row.label} | ({SPLIT: row.split} if row.split else {})
        clip = Clip(row.name, row.video, row.start, row.start + CLIP_SECONDS, columns)
        yield in_line(path, row.line), clip


def _row_of_video(line: int, fields: list[str], where: str) -> Row:
    video, start, label, split = fields_of(where, fields, "id", "start", "label", "split")
    if not _START.fullmatch(start):
        raise UsageError(f"{where}: {start!r} is not a start in seconds, an integer")
    return Row(line, f"{youtube_id(video, where)}_{int(start):06d}", label, split)


def _row_of_clip(line: int, fields: list[str], where: str) -> Row:
    file, label = fields_of(where, fields, "file", "label")
    name = file.rpartition(".")[0] or file
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: {file!r} is not <YouTube id>_<start, six digits>.mp4")
    return Row(line, name, label, split="")
