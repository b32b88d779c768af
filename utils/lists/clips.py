"""Clips, as the lists of datasets name them, and the files that hold them: cut to the clip, or the whole video."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch_zoo.utils import naming, storage
from torch_zoo.utils.types import Source, UsageError

log = logging.getLogger(__name__)

VIDEO_ID, LABEL, SPLIT = "video_id", "label", "split"  # columns that lists of datasets have in common
PREFIX = "v_"  # of ActivityNet's files, and of the ids in some of its lists
PREFERRED = ".mp4"  # of several files of one stem

_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Clip:
    """A segment of a video, or all of it."""

    name: str
    video: str  # its id
    start: float  # s
    end: float | None  # s, None = to the end
    columns: Mapping[str, str]  # what else the list says of it


def stems(clip: Clip) -> list[tuple[str, bool]]:
    """The stems that its file may have, the likeliest first, and is such a file cut to the clip?"""
    whole = (clip.video, PREFIX + clip.video, clip.video.removeprefix(PREFIX))
    if clip.end is None:
        return [(stem, False) for stem in whole]
    starts, ends = _spellings(clip.start), _spellings(clip.end)
    cut = (
        clip.name,
        *(f"{clip.video}_{start}" for start in starts),
        *(f"{clip.video}_{start}_{end}" for start, end in zip(starts, ends, strict=True)),
    )
    return [*((stem, True) for stem in cut), *((stem, False) for stem in whole)]


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
        by_stem[naming.stem(file)].append(file)
    found = [_present(clip, by_stem) for clip in clips]
    usual = next((place for place in found if place is not None), None)
    located, ambiguous = [], []
    for clip, place in zip(clips, found, strict=True):
        stem, cut = _candidate(clip, usual if place is None else place)
        present = sorted(by_stem.get(stem, ()), key=lambda file: (not file.endswith(PREFERRED), file))
        if len(present) > 1:
            ambiguous.append(present)
        path = present[0] if present else storage.join(folder, stem + PREFERRED)
        segment = (0.0, None) if cut else (clip.start, clip.end)
        missing = "" if present else _missing(clip, folder)
        located.append((Source(path, clip.name, *segment, clip.columns), missing))
    if ambiguous:
        first, second, *_ = ambiguous[0]
        log.warning("%d clips have several files, and one is taken: e.g. %s, not %s", len(ambiguous), first, second)
    return located


def _present(clip: Clip, by_stem: Mapping[str, object]) -> int | None:
    """Which of its stems is there, counted from the last one; None if none is."""
    candidates = stems(clip)
    return next((place - len(candidates) for place, (stem, _) in enumerate(candidates) if stem in by_stem), None)


def _candidate(clip: Clip, place: int | None) -> tuple[str, bool]:
    candidates = stems(clip)
    return candidates[0 if place is None else max(place, -len(candidates))]


def _missing(clip: Clip, folder: str) -> str:
    return f"no {' or '.join(f'{stem}.*' for stem in dict.fromkeys((clip.name, clip.video)))} in {folder}"


def youtube_id(text: str, where: str) -> str:
    """The same text. Raises UsageError if it is no id."""
    if not _YOUTUBE_ID.fullmatch(text):
        raise UsageError(f"{where}: {text!r} is not a YouTube id, of 11 letters, digits, - and _")
    return text
