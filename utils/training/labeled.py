"""Examples with their classes, and what a task to learn is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np


class Labeled(NamedTuple):
    """Inputs of a network (n, ...), examples or embeddings, and their classes, one-hot (n, classes); all float32."""

    inputs: np.ndarray
    labels: np.ndarray


class Task(Protocol):
    """Media of some classes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, in the order of the labels' columns."""

    @property
    def validation(self) -> Labeled:
        """Examples that are never trained on."""

    def epoch(self, random: np.random.Generator) -> Iterator[Labeled]:
        """Batches of examples to train on, once through."""


def shuffled(labeled: Labeled, random: np.random.Generator, batch_size: int) -> Iterator[Labeled]:
    """Batches, once through in random order; the last one may be smaller."""
    order = random.permutation(len(labeled.labels))
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        yield Labeled(labeled.inputs[chosen], labeled.labels[chosen])


def concatenated(parts: Iterable[Labeled]) -> Labeled:
    """All parts as one, in their order."""
    inputs, labels = zip(*parts, strict=True)
    return Labeled(np.concatenate(inputs), np.concatenate(labels))
