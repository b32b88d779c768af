"""What the user names, as a checked list of sources, each with a name of its own."""

from __future__ import annotations

import csv
import glob
import logging
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch_zoo.utils.types import Source, UsageError

log = logging.getLogger(__name__)

COLUMNS = ("path", "start", "end", "name", "error")  # of a list, and of one of failures; others go to the sink
LONGEST_REPORT = 10  # missing files named in an error
MEDIA_SUFFIXES = frozenset(
    ".3gp .aac .ac3 .aif .aiff .amr .asf .avi .caf .flac .flv .m2ts .m4a .m4b .m4v .mka .mkv .mov .mp2 .mp3 .mp4 "
    ".mpeg .mpg .mts .mxf .oga .ogg .ogv .opus .ra .rm .ts .vob .wav .webm .wma .wmv".split()
)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The options that name media."""

    video_paths: Any = None  # a path or a list of paths
    file_with_video_paths: str | None = None

    def sources(self) -> list[Source]:
        """All sources, in the order given. Raises UsageError if there are none or a file is missing."""
        if self.video_paths is None and self.file_with_video_paths is None:
            raise UsageError('nothing to work on: give video_paths="[a.mp4, b.mp4]" or file_with_video_paths=list.txt')
        found = list(_unique([*self._from_paths(), *self._from_file()]))
        if not found:
            raise UsageError(f"{self.file_with_video_paths or 'video_paths'}: the list is empty")
        _check_present(found)
        return disambiguate_names(found)

    def _from_paths(self) -> Iterator[Source]:
        given = self.video_paths
        paths = [] if given is None else given if isinstance(given, list) else [given]
        for path in paths:
            if not isinstance(path, str) or not path:
                raise UsageError(f"video_paths: {path!r} is not a path")
            for file in _expand(path):
                yield Source(file, Path(file).stem)

    def _from_file(self) -> Iterator[Source]:
        if self.file_with_video_paths is None:
            return
        path = Path(self.file_with_video_paths)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise UsageError(f"file_with_video_paths={path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"file_with_video_paths={path}: not a text file of paths (UTF-8)") from error
        if path.suffix.lower() in (".csv", ".tsv"):
            yield from _rows(path, text)
        else:
            lines = (line.strip() for line in text.splitlines())
            for line in lines:
                if line and not line.startswith("#"):
                    yield from (Source(file, Path(file).stem) for file in _expand(line))


def disambiguate_names(sources: Sequence[Source]) -> list[Source]:
    """Give sources of one name the names of their parent folders as well: a/clip.mp4 -> a_clip.

    Raises UsageError where that doesn't help.
    """
    by_name = defaultdict(list)
    for source in sources:
        by_name[source.name].append(source)
    named = [source if len(by_name[source.name]) == 1 else _with_parents(source, by_name) for source in sources]
    owner: dict[str, Source] = {}
    for source in named:
        other = owner.setdefault(source.name, source)
        if other is not source:
            raise UsageError(
                f"{other.path} and {source.path} would both be written as {source.name}; "
                "name them apart in a CSV with the columns path,name"
            )
    return named


def _with_parents(source: Source, by_name: dict[str, list[Source]]) -> Source:
    parents = [Path(os.path.abspath(other.path)).parent.parts for other in by_name[source.name]]
    mine = Path(os.path.abspath(source.path)).parent.parts
    for depth in range(1, len(mine)):
        if len({parts[-depth:] for parts in parents}) == len(parents):
            return replace(source, name="_".join((*mine[-depth:], source.name)))
    return source


def _expand(path: str) -> list[str]:
    if os.path.isdir(path):
        return media_files(path) or [path]
    if not os.path.exists(path) and glob.has_magic(path):
        return sorted(glob.glob(path, recursive=True)) or [path]
    return [path]


def media_files(folder: str) -> list[str]:
    """Media at any depth of a folder, sorted."""
    files = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return sorted(file for file in files if Path(file).suffix.lower() in MEDIA_SUFFIXES)


def _rows(path: Path, text: str) -> Iterator[Source]:
    table = csv.DictReader(text.splitlines(), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    if "path" not in (table.fieldnames or ()):
        raise UsageError(f"{path}: the first line must name the columns: path[,start,end,name]")
    for row in table:
        where = f"{path}, line {table.line_num}"
        file = (row["path"] or "").strip()
        if not file:
            raise UsageError(f"{where}: no path")
        start, end = _seconds(row.get("start"), where) or 0.0, _seconds(row.get("end"), where)
        if start < 0:
            raise UsageError(f"{where}: the segment starts before 0, at {start:g} s")
        if end is not None and end <= start:
            raise UsageError(f"{where}: the segment from {start:g} s to {end:g} s is empty")
        name = (row.get("name") or "").strip()
        if os.path.basename(name) != name:
            raise UsageError(f"{where}: name={name} must not hold a folder")
        span = "" if start == 0 and end is None else f"_{start:g}_{'end' if end is None else f'{end:g}'}"
        columns = {column: text.strip() for column, text in row.items() if column and column not in COLUMNS and text}
        yield Source(file, name or Path(file).stem + span, start, end, columns)


def _seconds(text: str | None, where: str) -> float | None:
    if text is None or not text.strip():
        return None
    with suppress(ValueError):
        if math.isfinite(seconds := float(text)):
            return seconds
    raise UsageError(f"{where}: {text.strip()!r} is not a number of seconds")


def _unique(sources: Iterable[Source]) -> Iterator[Source]:
    seen = set()
    for source in sources:
        key = (os.path.abspath(source.path), source.start, source.end, source.name)
        if key in seen:
            log.warning("%s is listed twice; once is enough", source.path)
        else:
            seen.add(key)
            yield source


def _check_present(sources: Sequence[Source]) -> None:
    paths = dict.fromkeys(source.path for source in sources)
    missing = [path for path in paths if "://" not in path and not os.path.exists(path)]
    if missing:
        shown = "".join(f"\n  {path}" for path in missing[:LONGEST_REPORT])
        more = f"\n  and {len(missing) - LONGEST_REPORT} more" if len(missing) > LONGEST_REPORT else ""
        raise UsageError(f"{len(missing)} of {len(paths)} files do not exist:{shown}{more}")
