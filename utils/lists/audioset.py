"""AudioSet's segments (YTID, start_seconds, end_seconds, positive_labels), below comments of which the last says so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch_zoo.utils import naming
from torch_zoo.utils.lists.clips import VIDEO_ID, Clip, youtube_id
from torch_zoo.utils.lists.text import fields_of, in_line, read_rows
from torch_zoo.utils.lists.times import checked, seconds

LABELS = "positive_labels"  # machine ids, e.g. /m/03v3yw,/m/0k4j

_BEGINNING = re.compile(
    r'(#.*\n)*# *YTID, *start_seconds, *end_seconds, *positive_labels *\r?\n|[\w-]{11}, *[\d.]+, *[\d.]+, *"?/',
    re.ASCII,
)


def recognizes(beginning: str) -> bool:
    return bool(_BEGINNING.match(beginning))


def clips(path: str) -> Iterator[tuple[str, Clip]]:
    """Where each clip is named, and the clip. Raises UsageError."""
    for line, fields in read_rows(path, comments=True):
        where = in_line(path, line)
        video, first, last, labels = fields_of(where, fields, "YTID", "start_seconds", "end_seconds", LABELS)
        start, end = checked(seconds(first, where), seconds(last, where), where)
        columns = {VIDEO_ID: youtube_id(video, where), LABELS: labels}
        yield where, Clip(video + naming.span(start, end), video, start, end, columns)
