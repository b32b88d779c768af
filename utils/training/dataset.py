"""Labeled clips of a classification task: what the user names, and what of it can be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from torch_zoo.utils.lists.clips import LABEL, SPLIT
from torch_zoo.utils.lists.formats import recognized
from torch_zoo.utils.sources import listed_in
from torch_zoo.utils.training.folder import HELD_OUT, files_of_classes
from torch_zoo.utils.training.labeled import split
from torch_zoo.utils.types import Source, UsageError

TRAIN, TEST = "train", "test"  # splits in lists
USES = {TRAIN: "to train with", TEST: "for validation", "": "divided at random, a fifth of each class for validation"}


class Clip(NamedTuple):
    source: Source
    label: int
    split: str = ""  # clips without one are divided at random


@dataclass(frozen=True, slots=True)
class Listed:
    """What the user names."""

    classes: tuple[str, ...]
    clips: list[Clip]
    missing: Mapping[Source, str] = field(default_factory=dict)  # clips of lists that have no file, and why

    def __str__(self) -> str:
        """What there is, for people."""
        counts = Counter(clip.split for clip in self.clips)
        parts = ", ".join(f"{counts[split]:,} {use}" for split, use in USES.items() if counts[split])
        missing = f"; {len(self.missing):,} more are missing" if self.missing else ""
        return f"{len(self.clips):,} clips of {len(self.classes):,} classes: {parts}{missing}"


class Divided(NamedTuple):
    """The clips that can be used."""

    training: list[Clip]
    validation: list[Clip]


def of_folder(folder: str, classes: tuple[str, ...] | None = None) -> Listed:
    """folder/<class>/**/<media>. Raises UsageError if there are fewer than two classes, or others than these."""
    files = files_of_classes(Path(folder))
    classes = classes or tuple(sorted(files))
    if unknown := sorted(set(files) - set(classes)):
        raise UsageError(
            f"{Path(folder) / unknown[0]}: {unknown[0]!r} is none of the {len(classes)} classes; see --labels"
        )
    return Listed(
        classes,
        [
            Clip(Source(str(path), path.stem), label)
            for label, name in enumerate(classes)
            for path in files.get(name, ())
        ],
    )


def of_lists(training: str, validation: str | None, data_path: str | None, classes: tuple[str, ...] | None) -> Listed:
    """The clips of one or two lists, whose files are in `data_path`; all of `validation` is for validation.

    A list is one of VGGSound's or a table with the columns path and label, and split if it has one. The classes are
    the labels of the lists unless they are given. Raises UsageError, which names file and row, for a label that is
    none of them and a split that is neither train nor test.
    """
    rows = [*_rows(training, data_path, TRAIN if validation else "")]
    if validation:
        rows += _rows(validation, data_path, TEST)
    classes = classes or tuple(sorted({row.label for row in rows}))
    known = {name: number for number, name in enumerate(classes)}
    if unknown := next((row for row in rows if row.label not in known), None):
        raise UsageError(f"{unknown.where}: {unknown.label!r} is none of the {len(classes)} classes; see --labels")
    return Listed(
        classes,
        [Clip(row.source, known[row.label], row.split) for row in rows if not row.missing],
        {row.source: row.missing for row in rows if row.missing},
    )


def divided(listed: Listed, unusable: Collection[Source], seed: int) -> Divided:
    """Clips for training and for validation: by their split or, of those that have none, a fifth of each class.

    Raises UsageError if a class has none to train with, or nothing is left for validation.
    """
    random = np.random.default_rng([seed, HELD_OUT])
    of_class: list[list[Clip]] = [[] for _ in listed.classes]
    for clip in listed.clips:
        if clip.source not in unusable:
            of_class[clip.label].append(clip)
    result = Divided([], [])
    for name, clips in zip(listed.classes, of_class, strict=True):
        learned = [clip for clip in clips if clip.split == TRAIN]
        held_out = [clip for clip in clips if clip.split == TEST]
        if free := [clip for clip in clips if not clip.split]:
            learned, held_out = split(free, random)
        if not learned:
            raise UsageError(f"class {name!r}: {len(clips)} usable clips, none of them to train with{_hint(clips)}")
        result.training.extend(learned)
        result.validation.extend(held_out)
    if not result.validation:
        raise UsageError("no usable clip is left for validation")
    return result


def _hint(clips: Sequence[Clip]) -> str:
    splits = Counter(clip.split or "no split" for clip in clips)
    return f" ({', '.join(f'{number} of {name}' for name, number in splits.items())})" if splits else ""


class _Row(NamedTuple):
    where: str
    source: Source
    label: str
    split: str
    missing: str


def _rows(path: str, data_path: str | None, split: str) -> Iterator[_Row]:
    for each in listed_in(path, recognized(path), data_path):
        label, own = each.source.columns.get(LABEL), split or each.source.columns.get(SPLIT, "")
        if not label:
            raise UsageError(f"{each.where}: no label; a list for training has one in each row")
        if own not in (TRAIN, TEST, ""):
            raise UsageError(f"{each.where}: the split is {own!r}; it must be {TRAIN} or {TEST}")
        yield _Row(each.where, each.source, label, own, each.missing)
