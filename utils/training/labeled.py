"""Labeled examples, and the interface of a classification task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

Item = TypeVar("Item")


class Labeled(NamedTuple):
    """Network inputs (n, ...) of any floating-point type, examples or embeddings, and class indices (n,) int64."""

    inputs: np.ndarray
    labels: np.ndarray


class Task(Protocol):
    """A classification task."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the logits."""

    def __str__(self) -> str:
        """What there is, for people."""

    @property
    def validation(self) -> Labeled:
        """The validation set."""

    @property
    def validation_clips(self) -> Sequence[str]:
        """The clip of each of its examples."""

    def epoch(self, random: np.random.Generator) -> Iterator[Labeled]:
        """Training batches for one epoch."""


def shuffled(labeled: Labeled, random: np.random.Generator, batch_size: int) -> Iterator[Labeled]:
    """One epoch of batches in random order; the last one may be smaller."""
    order = random.permutation(len(labeled.labels))
    return batches(Labeled(labeled.inputs[order], labeled.labels[order]), batch_size)


def batches(labeled: Labeled, batch_size: int) -> Iterator[Labeled]:
    """The examples in order; the last batch may be smaller."""
    for first in range(0, len(labeled.labels), batch_size):
        part = slice(first, first + batch_size)
        yield Labeled(labeled.inputs[part], labeled.labels[part])


def concatenated(parts: Iterable[Labeled]) -> Labeled:
    """Concatenate all parts."""
    inputs, labels = zip(*parts, strict=True)
    return Labeled(np.concatenate(inputs), np.concatenate(labels))


def split(items: Sequence[Item], random: np.random.Generator) -> tuple[list[Item], list[Item]]:
    """Items of one class for training, and a fifth of them, one at least, for validation; at random."""
    order = [items[index] for index in random.permutation(len(items))]
    held_out = max(1, round(len(order) / 5))
    return order[held_out:], order[:held_out]
