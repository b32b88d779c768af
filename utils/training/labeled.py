"""Labeled examples, and the interface of a classification task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np


class Labeled(NamedTuple):
    """Network inputs (n, ...), examples or embeddings, with one-hot labels (n, classes); all float32."""

    inputs: np.ndarray
    labels: np.ndarray


class Task(Protocol):
    """A classification task."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the label columns."""

    @property
    def validation(self) -> Labeled:
        """The validation set."""

    def epoch(self, random: np.random.Generator) -> Iterator[Labeled]:
        """Training batches for one epoch."""


def shuffled(labeled: Labeled, random: np.random.Generator, batch_size: int) -> Iterator[Labeled]:
    """One epoch of batches in random order; the last one may be smaller."""
    order = random.permutation(len(labeled.labels))
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        yield Labeled(labeled.inputs[chosen], labeled.labels[chosen])


def concatenated(parts: Iterable[Labeled]) -> Labeled:
    """Concatenate all parts."""
    inputs, labels = zip(*parts, strict=True)
    return Labeled(np.concatenate(inputs), np.concatenate(labels))
