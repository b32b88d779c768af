"""One epoch of training: the loop that all training goes through."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from torch_zoo.utils.training import processes
from torch_zoo.utils.training.labeled import Labeled
from torch_zoo.utils.training.learner import Learner, Step
from torch_zoo.utils.training.progress import progress
from torch_zoo.utils.types import UsageError


def train_epoch(learner: Learner, batches: Iterable[Labeled], total: int, description: str) -> list[Step]:
    """One step per batch, with progress. Raises UsageError if the loss is not finite."""
    steps: list[Step] = []

    def note() -> str:  # not for every batch, since looking waits for the device
        return f"loss {steps[-1].loss:.3f}"

    for batch in progress(batches, description, total, "batch", note):
        steps.append(learner.step(batch))
    losses = processes.total(torch.stack([step.losses.mean() for step in steps]))  # not finite in one: so in all
    for number, loss in enumerate(losses.tolist(), 1):
        if not math.isfinite(loss):
            raise UsageError(f"{description}: the loss is not finite at batch {number}; use a smaller --learning-rate")
    return steps
