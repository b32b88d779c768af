"""Names of sources: the stem of every output file, unique in a run, and what messages call a source."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from torch_zoo.utils.types import Source, UsageError
from torch_zoo.utils.urls import is_url, local, split_url, without_secrets

LONGEST_NAME = 200  # bytes; file systems take 255, and a key, a suffix and a process id follow
DIGEST_DIGITS = 12  # hex, at the end of a name that was too long

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # ends lines, or moves a terminal's cursor


def stem(path: str) -> str:
    """`v/clip.mp4` -> `clip`; of a URL without its query: `https://host/v/clip.mp4?t=1` -> `clip`."""
    if not is_url(path):
        return PurePath(local(path)).stem
    host, name = split_url(path)
    return PurePath(name).stem.replace("\0", "") or host or "url"


def span(start: float, end: float | None) -> str:
    """What the name of a segment ends with: `_30_40`, `_30_end`; nothing for a whole file."""
    if start == 0 and end is None:
        return ""
    return f"_{seconds(start)}_{'end' if end is None else seconds(end)}"


def seconds(number: float) -> str:
    """The shortest text that is read as the same number: 30, 2.5, 10000.12."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def label(source: Source) -> str:
    """How messages call a source: its path without secrets, in one line, and its segment: `clip.mp4 [30-40 s]`."""
    path = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], without_secrets(source.path))
    if source.start == 0 and source.end is None:
        return path
    end = "end" if source.end is None else f"{seconds(source.end)} s"
    return f"{path} [{seconds(source.start)}\N{EN DASH}{end}]"


def disambiguate_names(sources: Sequence[Source]) -> list[Source]:
    """Prefix sources of one name with their parent folders: a/clip.mp4 -> a_clip. Shorten names that are too long.

    Raises UsageError where that doesn't help.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, source in enumerate(sources):
        groups[source.name].append(index)
    names = [source.name for source in sources]
    for name, indexes in groups.items():
        if len(indexes) > 1:
            prefixes = _distinct_parents([sources[index].path for index in indexes])
            for index, prefix in zip(indexes, prefixes, strict=True):
                names[index] = "_".join((*prefix, name))
    named = [replace(source, name=shorten(name)) for source, name in zip(sources, names, strict=True)]
    owner: dict[str, Source] = {}
    for source in named:
        other = owner.setdefault(source.name, source)
        if other is not source:
            raise UsageError(
                f"{label(other)} and {label(source)} would both be written as {source.name}; "
                "give them different names in a CSV with the columns path,name"
            )
    return named


def shorten(name: str) -> str:
    """The name, or where a file system could not take it, its beginning and a digest of it."""
    encoded = os.fsencode(name)
    if len(encoded) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:DIGEST_DIGITS]
    return f"{encoded[: LONGEST_NAME - DIGEST_DIGITS - 1].decode(errors='ignore')}_{digest}"


def _distinct_parents(paths: Sequence[str]) -> list[tuple[str, ...]]:
    """The fewest parent folders of each path that tell all of them apart; none where no number does."""
    parents = [_parents(path) for path in paths]
    for depth in range(1, max(map(len, parents)) + 1):
        tails = [folders[-depth:] for folders in parents]
        if len(set(tails)) == len(tails):
            return tails
    return [()] * len(paths)


def _parents(path: str) -> tuple[str, ...]:
    if is_url(path):
        host, name = split_url(path)
        return (host, *PurePath(name).parent.parts[1:])
    return PurePath(os.path.abspath(local(path))).parent.parts[1:]
