"""ActivityNet's annotations, and the captions to its videos.

    {"database": {id: {"duration": s, "subset": split, "annotations": [{"segment": [start, end], "label": ...}, ...]}}}
    {id: {"duration": s, "timestamps": [[start, end], ...], "sentences": [...]}}

A clip is an annotated segment; a video without annotations is one clip.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from torch_zoo.utils import naming
from torch_zoo.utils.lists.clips import LABEL, SPLIT, VIDEO_ID, Clip
from torch_zoo.utils.lists.text import open_list
from torch_zoo.utils.lists.times import LONGEST_SECONDS
from torch_zoo.utils.types import UsageError
from torch_zoo.utils.urls import without_secrets

log = logging.getLogger(__name__)

SENTENCE = "sentence"

_OBJECT = re.compile(r'\s*\{\s*["}]')

Segment = tuple[Any, dict[str, str]]  # [start, end], not checked, and what is said of it


def recognizes(beginning: str) -> bool:
    return bool(_OBJECT.match(beginning))


def clips(path: str) -> Iterator[tuple[str, Clip]]:
    """Where each clip is named, and the clip; segments of no length are left out, with one warning.

    Raises UsageError, which names file and video.
    """
    unusable = []
    for video, entry in _videos(path).items():
        where = f"{without_secrets(path)}, {video}"
        if os.path.basename(video) != video or "\0" in video or not video:
            raise UsageError(f"{where}: an id is the name of a video's file without its suffix")
        columns, segments = _split(entry), _segments(entry, where)
        if not segments:
            yield where, Clip(video, video, 0.0, None, {VIDEO_ID: video, **columns})
        repeated: Counter[str] = Counter()
        for pair, said in segments:
            start, end = _times(pair, where)
            if not 0 <= start < end:
                unusable.append(f"{where}, {pair}")
                continue
            name = video + naming.span(start, end)
            repeated[name] += 1
            number = f"_{repeated[name]}" if repeated[name] > 1 else ""
            yield where, Clip(name + number, video, start, end, {VIDEO_ID: video, **columns, **said})
    if unusable:
        log.warning("segments without a length, left out: %d, e.g. %s", len(unusable), unusable[0])


def _videos(path: str) -> dict[str, Any]:
    with open_list(path) as file:
        try:
            content = json.load(file)
            json.dumps(content, ensure_ascii=False).encode(errors="surrogateescape")
        except UnicodeEncodeError as error:
            half = ascii(error.object[error.start])
            raise UsageError(f"{without_secrets(path)}: {half} is half of a character; write all of it") from error
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{without_secrets(path)}: not JSON: {error}") from error
    match content:
        case {"database": dict(videos)} | dict(videos):
            return videos
    raise UsageError(f"{without_secrets(path)}: not a list of videos, {{id: {{...}}}}, as in ActivityNet")


def _split(entry: Any) -> dict[str, str]:
    match entry:
        case {"subset": str(split)}:
            return {SPLIT: split}
    return {}


def _segments(entry: Any, where: str) -> list[Segment]:
    match entry:
        case {"annotations": list(annotations)}:
            return [_annotation(each, where) for each in annotations]
        case {"timestamps": list(pairs), "sentences": list(sentences)} if len(pairs) == len(sentences):
            return [(pair, {SENTENCE: str(sentence).strip()}) for pair, sentence in zip(pairs, sentences, strict=True)]
    raise UsageError(f"{where}: there are neither annotations nor timestamps with as many sentences, as in ActivityNet")


def _annotation(annotation: Any, where: str) -> Segment:
    match annotation:
        case {"segment": pair, "label": str(label)}:
            return pair, {LABEL: label}
    raise UsageError(f"{where}: an annotation is not {{segment: [start, end], label: ...}}")


def _times(pair: Any, where: str) -> tuple[float, float]:
    match pair:
        case [int() | float() as start, int() | float() as end] if all(abs(time) <= LONGEST_SECONDS for time in pair):
            return float(start), float(end)
    raise UsageError(f"{where}: {str(pair)[:80]} is not a segment, [start, end] in seconds")
