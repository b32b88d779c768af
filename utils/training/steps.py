"""Training steps for one-hot classification: sigmoid cross-entropy, minimized by Adam."""

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
    """Loss and accuracy of a batch before the update; the validation accuracy after it, if measured."""

    loss: float
    accuracy: float
    validation_accuracy: float | None = None


def steps(network: nn.Module, batches: Iterable[Labeled], learning_rate: float) -> Iterator[Step]:
    """Train `network` on the device of its parameters, one Adam step per batch."""
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
    """Sigmoid cross-entropy, averaged over batch and classes."""
    return F.binary_cross_entropy_with_logits(logits, labels)


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Fraction of rows whose highest logit is that of their class."""
    return float(np.mean(logits.argmax(1) == labels.argmax(1)))


def validate(network: nn.Module, held_out: Labeled, batch_size: int) -> float:
    """Accuracy of `network` in eval mode; restores its training mode."""
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    with torch.inference_mode():
        parts = torch.from_numpy(held_out.inputs).split(batch_size)
        logits = torch.cat([network(part.to(device)).cpu() for part in parts])
    network.train(was_training)
    return accuracy(logits.numpy(), held_out.labels)
