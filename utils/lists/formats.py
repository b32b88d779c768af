"""The formats of datasets' own lists, recognized by how a file begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch_zoo.utils.lists import activitynet, audioset, vggsound
from torch_zoo.utils.lists.clips import Clip
from torch_zoo.utils.lists.text import beginning


class Format(NamedTuple):
    title: str
    recognizes: Callable[[str], bool]  # by the first characters
    clips: Callable[[str], Iterator[tuple[str, Clip]]]  # of a file: where each is named, for messages, and the clip


FORMATS = (
    Format("VGGSound's list of videos (id, start, label, split)", vggsound.names_videos, vggsound.clips),
    Format("VGGSound's list of clips (file, label)", vggsound.names_clips, vggsound.clips),
    Format("AudioSet's list of segments (YTID, start, end, labels)", audioset.recognizes, audioset.clips),
    Format("ActivityNet's annotations or captions (JSON)", activitynet.recognizes, activitynet.clips),
)


def recognized(path: str) -> Format | None:
    """The format of a dataset's own list; None for lists of paths. Raises UsageError if the file can't be read."""
    start = beginning(path)
    return next((each for each in FORMATS if each.recognizes(start)), None)
