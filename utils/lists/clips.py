"""Clips, as the lists of datasets name them, and the files that hold them: cut to the clip, or the whole video."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import basename, splitext

from torch_zoo.utils import naming, storage
from torch_zoo.utils.types import Source, UsageError
from torch_zoo.utils.urls import without_secrets

log = logging.getLogger(__name__)

VIDEO_ID, LABEL, SPLIT = "video_id", "label", "split"  # columns that lists of datasets have in common
PREFIX = "v_"  # of ActivityNet's files, and of the ids in some of its lists
PREFERRED = ".mp4"  # of several files of one stem
WHOLE = 7  # names from this form on are those of whole videos, the others of files that are cut to the clip

_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Clip:
    """A segment of a video, or all of it."""

    name: str
    video: str  # its id
    start: float  # s
    end: float | None  # s, None = to the end
    columns: Mapping[str, str]  # what else the list says of it


def stems(clip: Clip) -> Iterator[tuple[int, str]]:
    """The stems that its file may have, the likeliest first, numbered by their form: see WHOLE."""
    if clip.end is not None:
        yield 0, clip.name
        starts, ends = _spellings(clip.start), _spellings(clip.end)
        yield from enumerate((f"{clip.video}_{start}" for start in starts), 1)
        yield from enumerate((f"{clip.video}_{start}_{end}" for start, end in zip(starts, ends, strict=True)), 4)
    yield from enumerate((clip.video, PREFIX + clip.video, clip.video.removeprefix(PREFIX)), WHOLE)


def _spellings(seconds: float) -> tuple[str, str, str]:
    """30 -> 30, 30.000, 000030."""
    short = naming.seconds(seconds)
    return short, f"{seconds:.3f}", f"{seconds:06.0f}" if seconds.is_integer() else short


def locate(clips: Sequence[Clip], folder: str, files: Iterable[str]) -> list[tuple[Source, str]]:
    """For each clip its source and, if none of the files in the folder is its, a message that says so.

    A missing file is looked for under the name that it would have if it were named as those that are there.
    """
    by_stem: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_stem[splitext(basename(file))[0]].append(file)
    found = [next((each for each in stems(clip) if each[1] in by_stem), None) for clip in clips]
    usual = next((form for form, _ in filter(None, found)), 0)
    located, ambiguous = [], []
    for clip, there in zip(clips, found, strict=True):
        form, stem = there or next(each for each in stems(clip) if each[0] >= usual)
        present = sorted(by_stem.get(stem, ()), key=lambda file: (not file.endswith(PREFERRED), file))
        if len(present) > 1:
            ambiguous.append(present)
        path = present[0] if present else storage.join(folder, stem + PREFERRED)
        start, end = (clip.start, clip.end) if form >= WHOLE else (0.0, None)
        located.append((Source(path, clip.name, start, end, clip.columns), "" if present else _missing(clip, folder)))
    if ambiguous:
        first, second, *_ = map(without_secrets, ambiguous[0])
        log.warning("clips with several files: %d, e.g. %s is taken, not %s", len(ambiguous), first, second)
    return located


def _missing(clip: Clip, folder: str) -> str:
    return (
        f"no {' or '.join(f'{stem}.*' for stem in dict.fromkeys((clip.name, clip.video)))} in {without_secrets(folder)}"
    )


def youtube_id(text: str, where: str) -> str:
    """The same text. Raises UsageError if it is no id."""
    if not _YOUTUBE_ID.fullmatch(text):
        raise UsageError(f"{where}: {text!r} is not a YouTube id, of 11 letters, digits, - and _")
    return text
