"""Batches of clips for training and validation: this process's share of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TypeVar

import numpy as np

from torch_zoo.utils.training import processes
from torch_zoo.utils.training.dataset import Clip
from torch_zoo.utils.training.labeled import Labeled
from torch_zoo.utils.training.progress import progress
from torch_zoo.utils.training.reading import ClipReader
from torch_zoo.utils.types import MediaError, Source

BATCHES_AHEAD = 2

Item = TypeVar("Item")


def num_batches(clips: int, batch_size: int) -> int:
    """Of an epoch."""
    return -(-clips // batch_size)


def shares(clips: Sequence[Item], batch_size: int, order: np.ndarray) -> list[list[Item]]:
    """This process's clips of each batch.

    Batches are of nearly equal size, `batch_size` at most, so that none is so small that its statistics are noise.
    """
    whole = np.array_split(order, num_batches(len(order), batch_size))
    return [[clips[index] for index in batch[processes.rank() :: processes.number()]] for batch in whole]


def training_order(clips: int, seed: int, epoch: int) -> np.ndarray:
    """Another permutation in each epoch."""
    return np.random.default_rng([seed, epoch]).permutation(clips)


def read_batches(reader: ClipReader, groups: Sequence[Sequence[Clip]]) -> Iterator[Labeled]:
    """The inputs of each group, read ahead. Raises MediaError, which names the clip."""
    groups = [group for group in groups if group]
    ahead = BATCHES_AHEAD * max(map(len, groups), default=1)
    inputs = reader.map(lambda clip: _inputs(reader, clip.source), chain.from_iterable(groups), ahead)
    for group in groups:
        yield Labeled(np.stack([*islice(inputs, len(group))]), np.array([clip.label for clip in group]))


def unreadable(reader: ClipReader, clips: Sequence[Clip]) -> Mapping[Source, str]:
    """The clips that can't be read, with the reason. Reading each one fills the cache."""

    def reason(source: Source) -> str:
        try:
            reader.inputs(source)
        except MediaError as error:
            return str(error)
        return ""

    sources = [clip.source for clip in clips[processes.rank() :: processes.number()]]
    ahead = 4 * reader.threads
    reasons = progress(reader.map(reason, sources, ahead), "reading clips", len(sources), "clip")
    found = [(source, why) for source, why in zip(sources, reasons, strict=True) if why]
    return dict(chain.from_iterable(processes.gathered(found)))


def _inputs(reader: ClipReader, source: Source) -> np.ndarray:
    try:
        return reader.inputs(source)
    except MediaError as error:
        raise MediaError(f"{source.path}: {error}; it could be read before. Continue with --resume") from error
