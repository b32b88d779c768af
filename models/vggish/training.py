"""How a classifier on VGGish learns: all of it, or only the layers above a frozen VGGish.

A frozen VGGish gives the same embeddings whenever it sees an example, so these are computed once and the layers on
top learn from them alone: thousands of steps in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat

import numpy as np
import torch
from tqdm import tqdm

from torch_zoo.models.vggish.classifier import Classifier
from torch_zoo.models.vggish.extractor import KEY, VGGishExtractor
from torch_zoo.models.vggish.tasks import BATCH_SIZE
from torch_zoo.utils.training.labeled import Labeled, Task, concatenated, shuffled
from torch_zoo.utils.training.steps import Step, steps


def train_all(model: Classifier, task: Task, learning_rate: float, random: np.random.Generator) -> Iterator[Step]:
    """Train all layers, epoch after epoch, one batch per step."""
    model.requires_grad_(True).train()
    batches = chain.from_iterable(task.epoch(random) for _ in repeat(None))
    return steps(model, batches, learning_rate)


def train_head(
    model: Classifier, embeddings: Labeled, learning_rate: float, random: np.random.Generator
) -> Iterator[Step]:
    """Train the layers above a frozen VGGish, epoch after epoch, one batch of its embeddings per step."""
    model.vggish.requires_grad_(False)
    torch.set_num_threads(1)  # so small a product takes longer on several
    batches = chain.from_iterable(shuffled(embeddings, random, BATCH_SIZE) for _ in repeat(None))
    return steps(model.head, batches, learning_rate)


def embed(epoch: Iterable[Labeled], extractor: VGGishExtractor, device: str, threads: int) -> Labeled:
    """The embeddings (n, 128) of all examples of an epoch, with bars of progress on a terminal."""
    examples, labels = concatenated(tqdm(epoch, desc="collecting windows", unit="batch", disable=None))
    [stage] = extractor.load(device, threads)
    parts = tqdm(range(0, len(examples), stage.batch_size), desc="embedding windows", unit="batch", disable=None)
    embeddings = np.concatenate([stage.forward(examples[first : first + stage.batch_size])()[KEY] for first in parts])
    return Labeled(embeddings, labels)
