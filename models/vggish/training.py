"""Train a classifier on VGGish: all of it, or only the head of a frozen VGGish.

A frozen VGGish always gives the same embedding for an example, so embeddings are computed once, and the head trains on
them alone: thousands of steps in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat

import numpy as np
import torch

from torch_zoo.models.vggish.classifier import Classifier
from torch_zoo.models.vggish.extractor import KEY, VGGishExtractor
from torch_zoo.models.vggish.tasks import BATCH_SIZE
from torch_zoo.utils.training.labeled import Labeled, Task, concatenated, shuffled
from torch_zoo.utils.training.learner import Learner, sigmoid_loss
from torch_zoo.utils.training.progress import progress


def all_layers(model: Classifier, learning_rate: float) -> Learner:
    """Learns from examples."""
    return Learner(model.requires_grad_(True).train(), sigmoid_loss, learning_rate)


def head_only(model: Classifier, learning_rate: float) -> Learner:
    """Learns from embeddings; VGGish is frozen."""
    model.vggish.requires_grad_(False)
    torch.set_num_threads(1)  # the head is so small that more threads are slower
    return Learner(model.head, sigmoid_loss, learning_rate)


def endless_examples(task: Task, random: np.random.Generator) -> Iterator[Labeled]:
    """Batches of a task, epoch after epoch."""
    return chain.from_iterable(task.epoch(random) for _ in repeat(None))


def endless_embeddings(embeddings: Labeled, random: np.random.Generator) -> Iterator[Labeled]:
    """Batches of embeddings, epoch after epoch."""
    return chain.from_iterable(shuffled(embeddings, random, BATCH_SIZE) for _ in repeat(None))


def embed(epoch: Iterable[Labeled], what: str, extractor: VGGishExtractor, device: str, threads: int) -> Labeled:
    """The embeddings (n, 128) of all examples of an epoch; `what` they are for is shown with the progress."""
    examples, labels = concatenated(progress(epoch, f"collecting windows for {what}", None, "batch"))
    [stage] = extractor.load(device, threads)
    firsts = range(0, len(examples), stage.batch_size)
    parts = progress(firsts, f"embedding windows for {what}", len(firsts), "batch")
    embeddings = np.concatenate([stage.forward(examples[first : first + stage.batch_size])()[KEY] for first in parts])
    return Labeled(embeddings, labels)
