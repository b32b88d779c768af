"""How a classifier on VGGish learns: loss and optimiser are those of Google's training demo.

A frozen VGGish gives the same embeddings whenever it sees an example, so these are computed once and the layers on
top learn from them alone: thousands of steps in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from torch_zoo.models.vggish.classifier import Classifier
from torch_zoo.models.vggish.extractor import KEY, VGGishExtractor
from torch_zoo.models.vggish.tasks import Labelled, Task, joined, shuffled

ADAM_EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of a batch before the network learned from it."""

    loss: float
    accuracy: float


def train_all(model: Classifier, task: Task, learning_rate: float, random: np.random.Generator) -> Iterator[Step]:
    """Train all layers, epoch after epoch, a batch a step."""
    model.requires_grad_(True).train()
    batches = chain.from_iterable(task.epoch(random) for _ in repeat(None))
    return steps(model, batches, learning_rate)


def train_head(
    model: Classifier, embeddings: Labelled, learning_rate: float, random: np.random.Generator
) -> Iterator[Step]:
    """Train the layers above a frozen VGGish, epoch after epoch, a batch of its embeddings a step."""
    model.vggish.requires_grad_(False)
    torch.set_num_threads(1)  # so small a product takes longer when it is shared
    batches = chain.from_iterable(shuffled(embeddings, random) for _ in repeat(None))
    return steps(model.head, batches, learning_rate)


def embed(epoch: Iterable[Labelled], extractor: VGGishExtractor, device: str, threads: int) -> Labelled:
    """The embeddings of all examples of an epoch."""
    examples, labels = joined(epoch)
    [stage] = extractor.load(device, threads)
    parts = range(0, len(examples), stage.batch_size)
    embeddings = np.concatenate([stage.forward(examples[first : first + stage.batch_size])()[KEY] for first in parts])
    return Labelled(embeddings, labels)


def steps(network: nn.Module, batches: Iterable[Labelled], learning_rate: float) -> Iterator[Step]:
    """Train the parameters of `network` where they lie, a step of Adam a batch."""
    optimizer = torch.optim.Adam(network.parameters(), learning_rate, eps=ADAM_EPSILON, fused=True)
    device = next(network.parameters()).device
    for batch in batches:
        logits = network(torch.from_numpy(batch.inputs).to(device))
        cost = loss(logits, torch.from_numpy(batch.labels).to(device))
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        yield Step(cost.item(), accuracy(logits.detach().cpu().numpy(), batch.labels))


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Sigmoid cross-entropy, its mean over batch and classes."""
    return F.binary_cross_entropy_with_logits(logits, labels)


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose highest logit is that of their class."""
    return float(np.mean(logits.argmax(1) == labels.argmax(1)))
