"""What the user names, as a checked selection of sources, each with a name of its own."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch_zoo.utils import naming, storage
from torch_zoo.utils.expansion import expand
from torch_zoo.utils.lists import tables
from torch_zoo.utils.lists.clips import SPLIT, locate
from torch_zoo.utils.lists.formats import Format, recognized
from torch_zoo.utils.lists.text import in_line, read_lines
from torch_zoo.utils.shards import Shard
from torch_zoo.utils.types import Source, Status, UsageError
from torch_zoo.utils.urls import without_secrets

log = logging.getLogger(__name__)

LONGEST_REPORT = 10  # missing files named in an error


@dataclass(frozen=True, slots=True)
class Listed:
    """A source, as it was named."""

    source: Source
    where: str  # for messages
    missing: str = ""  # why there is nothing to read


@dataclass(frozen=True, slots=True)
class Selection:
    """The sources of a run."""

    sources: Sequence[Source]
    missing: Mapping[str, str]  # name of a source -> why there is nothing to read
    notes: Sequence[str] = ()  # lines for people: what list was recognized
    shard: str = ""  # for people: which part of the sources this is


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The options that name media."""

    video_paths: str | list[str] | None = None
    file_with_video_paths: str | None = None
    data_path: str | None = None
    split: str | None = None
    missing: Literal["fail", "refuse", "skip"] = "fail"
    shard: str | None = None

    def select(self) -> Selection:
        """The sources of this run, in order, also missing ones. Raises UsageError.

        Errors and warnings are about all that is named; the shard is taken last.
        """
        shard = None if self.shard is None else Shard.parse(self.shard)
        file = self.file_with_video_paths
        if self.video_paths is None and file is None:
            raise UsageError('no input: give video_paths="[a.mp4, b.mp4]" or file_with_video_paths=list.txt')
        if self.split is not None and file is None:
            raise UsageError(f"split={self.split}: there is no list that could name it; give file_with_video_paths")
        dataset = None if file is None else recognized(file)
        listed = _unique([*self._from_paths(), *self._from_file(dataset)])
        if not listed:
            raise UsageError(f"{without_secrets(file or 'video_paths')}: the list is empty")
        _check_present(listed, refuse=self.missing == "refuse")
        named = naming.disambiguate_names([each.source for each in listed])
        sources = [source for source in named if shard is None or shard.holds(source.name)]
        return Selection(
            sources,
            {source.name: each.missing for source, each in zip(named, listed, strict=True) if each.missing},
            [*self._notes(dataset)],
            f"{shard}: {len(sources)} of {len(named)} sources" if shard else "",
        )

    @property
    def status_of_missing(self) -> Status:
        return "missing" if self.missing == "skip" else "failed"

    def _notes(self, dataset: Format | None) -> Iterator[str]:
        file = without_secrets(self.file_with_video_paths or "video_paths")
        if dataset:
            yield f"{file}: read as {dataset.title}"
        elif self.data_path is not None:
            yield f"data_path={without_secrets(self.data_path)} is not used: {file} names paths, not ids"

    def _from_paths(self) -> Iterator[Listed]:
        paths = self.video_paths if isinstance(self.video_paths, list) else [self.video_paths]
        for path in paths if self.video_paths is not None else []:
            if not isinstance(path, str) or not path:
                raise UsageError(f"video_paths: {path!r} is not a path")
            yield from _expanded(path, "video_paths")

    def _from_file(self, dataset: Format | None) -> Iterator[Listed]:
        if (file := self.file_with_video_paths) is None:
            return
        listed = listed_in(file, dataset, self.data_path)
        yield from listed if self.split is None else _of_split(self.split, list(listed), file)


def listed_in(file: str, dataset: Format | None, data_path: str | None) -> Iterator[Listed]:
    """What a list names, in its order; it is a dataset's own, or one of paths. Raises UsageError."""
    return _of_dataset(dataset, file, data_path) if dataset else _of_paths(file)


def _of_paths(file: str) -> Iterator[Listed]:
    """What a text file or a table names."""
    if tables.delimiter(file):
        for line, source in tables.sources(file):
            yield Listed(source, in_line(file, line), _absent(source.path))
    else:
        for line, path in read_lines(file):
            yield from _expanded(path, in_line(file, line))


def _of_dataset(dataset: Format, file: str, data_path: str | None) -> Iterator[Listed]:
    """The clips that a dataset's list names, and the files in `data_path` that hold them."""
    if data_path is None:
        raise UsageError(f"{without_secrets(file)} is {dataset.title}: give data_path=FOLDER, where the media lie")
    if not storage.is_url(data_path) and not os.path.isdir(os.path.expanduser(storage.local(data_path))):
        raise UsageError(f"data_path={data_path}: no such folder")
    named = list(dataset.clips(file))
    located = locate([clip for _, clip in named], data_path, expand(data_path))
    if located and all(missing for _, missing in located):
        raise UsageError(f"{without_secrets(file)}: none of its {len(located)} clips is there, e.g. {located[0][1]}")
    for (where, _), (source, missing) in zip(named, located, strict=True):
        yield Listed(source, where, missing)


def _of_split(split: str, listed: Sequence[Listed], file: str) -> list[Listed]:
    file, counts = without_secrets(file), Counter(each.source.columns.get(SPLIT) for each in listed)
    if split not in counts:
        there = ", ".join(f"{name} ({count} sources)" for name, count in counts.items() if name)
        raise UsageError(f"split={split}: {file} " + (f"has other splits: {there}" if there else "has no splits"))
    return [each for each in listed if each.source.columns.get(SPLIT) == split]


def _expanded(path: str, where: str) -> Iterator[Listed]:
    return (Listed(Source(each, naming.stem(each)), where, _absent(each)) for each in expand(path))


def _absent(path: str) -> str:
    """Why there is nothing to read; URLs are not looked up."""
    return "" if storage.is_url(path) or storage.exists(path) else "no such file"


def _unique(listed: Sequence[Listed]) -> list[Listed]:
    kept: dict[tuple[object, ...], Listed] = {}
    repeated = [each for each in listed if kept.setdefault(_identity(each.source), each) is not each]
    if repeated:
        count = "1 duplicate is" if len(repeated) == 1 else f"{len(repeated)} duplicates are"
        log.warning("%s left out, e.g. %s (%s)", count, naming.label(repeated[0].source), repeated[0].where)
    return list(kept.values())


def _identity(source: Source) -> tuple[object, ...]:
    return (
        source.path if storage.is_url(source.path) else os.path.abspath(storage.local(source.path)),
        source.start,
        source.end,
        source.name,
    )


def _check_present(listed: Sequence[Listed], refuse: bool) -> None:
    """Raise UsageError if all are missing or, in order to `refuse`, some are."""
    missing = [each for each in listed if each.missing]
    if len(missing) == len(listed):
        paths = list(dict.fromkeys(each.source.path for each in listed))
        shown = "".join(f"\n  {path}" for path in paths[:LONGEST_REPORT])
        more = f"\n  and {len(paths) - LONGEST_REPORT} more" if len(paths) > LONGEST_REPORT else ""
        raise UsageError(f"no such file:{shown}{more}")
    if missing and refuse:
        example = missing[0]
        raise UsageError(
            f"missing=refuse: {len(missing)} of {len(listed)} sources are missing, e.g. "
            f"{naming.label(example.source)} ({example.where}): {example.missing}"
        )
