"""What the user names, as a checked list of sources, each with a name of its own."""

from __future__ import annotations

import glob
import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch_zoo.utils import naming
from torch_zoo.utils.lists import tables
from torch_zoo.utils.lists.text import read_lines
from torch_zoo.utils.types import Source, UsageError

log = logging.getLogger(__name__)

LONGEST_REPORT = 10  # missing files named in an error
MEDIA_SUFFIXES = frozenset(
    ".3gp .aac .ac3 .aif .aiff .amr .asf .avi .caf .flac .flv .m2ts .m4a .m4b .m4v .mka .mkv .mov .mp2 .mp3 .mp4 "
    ".mpeg .mpg .mts .mxf .oga .ogg .ogv .opus .ra .rm .ts .vob .wav .webm .wma .wmv".split()
)

Listed = tuple[Source, str]  # and where it was named, for messages


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The options that name media."""

    video_paths: str | list[str] | None = None
    file_with_video_paths: str | None = None

    def sources(self) -> list[Source]:
        """All sources, in order, also missing ones. Raises UsageError if all are missing or none are given."""
        if self.video_paths is None and self.file_with_video_paths is None:
            raise UsageError('no input: give video_paths="[a.mp4, b.mp4]" or file_with_video_paths=list.txt')
        found = _unique([*self._from_paths(), *self._from_file()])
        if not found:
            raise UsageError(f"{self.file_with_video_paths or 'video_paths'}: the list is empty")
        _check_present(found)
        return naming.disambiguate_names(found)

    def _from_paths(self) -> Iterator[Listed]:
        paths = self.video_paths if isinstance(self.video_paths, list) else [self.video_paths]
        for path in paths if self.video_paths is not None else []:
            if not isinstance(path, str) or not path:
                raise UsageError(f"video_paths: {path!r} is not a path")
            yield from ((source, "video_paths") for source in _expand(path))

    def _from_file(self) -> Iterator[Listed]:
        if (file := self.file_with_video_paths) is None:
            return
        if tables.delimiter(file):
            yield from ((source, f"{file}, line {line}") for line, source in tables.sources(file))
        else:
            for line, path in read_lines(file):
                yield from ((source, f"{file}, line {line}") for source in _expand(path))


def is_missing(source: Source) -> bool:
    """Is it a local file that does not exist?"""
    return not naming.is_url(source.path) and not os.path.exists(source.path)


def _expand(path: str) -> Iterator[Source]:
    """A file as it is; of a folder or pattern, the media in it."""
    if path.startswith("~/") and not os.path.exists(path):
        path = os.path.expanduser(path)
    paths = [path]
    if os.path.isdir(path):
        paths = media_files(path) or paths
    elif not os.path.exists(path) and glob.has_magic(path) and not naming.is_url(path):
        paths = sorted(glob.glob(path, recursive=True)) or paths
    return (Source(each, naming.stem(each)) for each in paths)


def media_files(folder: str) -> list[str]:
    """Media at any depth of a folder, sorted; hidden files and folders are skipped.

    Linked folders are followed, after the real ones, and each folder is listed once, so that links can't loop.
    """
    listed: set[tuple[int, int]] = set()
    files: list[str] = []
    waiting = deque([folder])
    while waiting:
        for place, folders, names in os.walk(waiting.popleft(), onerror=_warn_unlisted):
            status = os.stat(place)
            if (status.st_dev, status.st_ino) in listed:
                folders.clear()
                continue
            listed.add((status.st_dev, status.st_ino))
            folders[:] = [name for name in folders if not name.startswith(".")]
            waiting.extend(link for name in folders if os.path.islink(link := os.path.join(place, name)))
            media = (name for name in names if Path(name).suffix.lower() in MEDIA_SUFFIXES)
            files += [os.path.join(place, name) for name in media if not name.startswith(".")]
    return sorted(files)


def _warn_unlisted(error: OSError) -> None:
    log.warning("%s can't be listed (%s); the files in it are left out", error.filename, error.strerror)


def _unique(listed: Sequence[Listed]) -> list[Source]:
    kept: dict[tuple[object, ...], Source] = {}
    repeated = [(source, where) for source, where in listed if kept.setdefault(_identity(source), source) is not source]
    if repeated:
        source, where = repeated[0]
        count = "1 duplicate is" if len(repeated) == 1 else f"{len(repeated)} duplicates are"
        log.warning("%s left out, e.g. %s (%s)", count, naming.label(source), where)
    return list(kept.values())


def _identity(source: Source) -> tuple[object, ...]:
    return os.path.abspath(source.path), source.start, source.end, source.name


def _check_present(sources: Sequence[Source]) -> None:
    paths = list(dict.fromkeys(source.path for source in sources))
    if all(map(is_missing, sources)):
        shown = "".join(f"\n  {path}" for path in paths[:LONGEST_REPORT])
        more = f"\n  and {len(paths) - LONGEST_REPORT} more" if len(paths) > LONGEST_REPORT else ""
        raise UsageError(f"no such file:{shown}{more}")
