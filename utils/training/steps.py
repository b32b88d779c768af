"""How a network learns one-hot classes: sigmoid cross-entropy, minimized by Adam."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from torch_zoo.utils.training.labeled import Labeled

ADAM_EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of a batch before the network learned from it, and of the network after it, where measured."""

    loss: float
    accuracy: float
    validation_accuracy: float | None = None


def steps(network: nn.Module, batches: Iterable[Labeled], learning_rate: float) -> Iterator[Step]:
    """Train the parameters of `network` on their device, one step of Adam per batch."""
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


def validate(network: nn.Module, held_out: Labeled, batch_size: int) -> float:
    """Accuracy of `network`, which goes on in the mode (training or not) that it was in."""
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    with torch.inference_mode():
        parts = torch.from_numpy(held_out.inputs).split(batch_size)
        logits = torch.cat([network(part.to(device)).cpu() for part in parts])
    network.train(was_training)
    return accuracy(logits.numpy(), held_out.labels)
