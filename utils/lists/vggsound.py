"""VGGSound's lists: `vggsound.csv` (YouTube id, start in seconds, label, split) and `test.csv` (file of a clip, label).

Neither has a header. A clip is ten seconds of a video and is called `<id>_<start, six digits>`, as its file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from torch_zoo.utils.lists.text import fields_of, read_rows
from torch_zoo.utils.types import UsageError

CLIP_SECONDS = 10.0

_ID = re.compile(r"[\w-]{11}", re.ASCII)
_NAME = re.compile(r"(?P<id>[\w-]{11})_(?P<start>\d{6})", re.ASCII)
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


def rows(path: str) -> Iterator[Row]:
    """The rows of either list. Raises UsageError, which names file and line."""
    width = 0
    for line, fields in read_rows(path):
        width = width or len(fields)
        yield _row_of_videos(path, line, fields) if width == 4 else _row_of_clips(path, line, fields)


def _row_of_videos(path: str, line: int, fields: list[str]) -> Row:
    video, start, label, split = fields_of(path, line, fields, "id", "start", "label", "split")
    if not _ID.fullmatch(video):
        raise UsageError(f"{path}, line {line}: {video!r} is not a YouTube id, of 11 letters, digits, - and _")
    if not _START.fullmatch(start):
        raise UsageError(f"{path}, line {line}: {start!r} is not a start in seconds, an integer")
    return Row(line, f"{video}_{int(start):06d}", label, split)


def _row_of_clips(path: str, line: int, fields: list[str]) -> Row:
    file, label = fields_of(path, line, fields, "file", "label")
    name = file.rpartition(".")[0] or file
    if not _NAME.fullmatch(name):
        raise UsageError(f"{path}, line {line}: {file!r} is not <YouTube id>_<start, six digits>.mp4")
    return Row(line, name, label, split="")
