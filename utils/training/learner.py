"""Training steps of a classifier: a loss of its logits, minimized by Adam; and its logits for validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from torch_zoo.utils import cpu
from torch_zoo.utils.training import processes
from torch_zoo.utils.training.labeled import Labeled
from torch_zoo.utils.training.metrics import accuracy, mean_average_precision
from torch_zoo.utils.training.schedule import Schedule, constant

ADAM_EPSILON = 1e-8
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

Precision = Literal["fp32", "bf16", "fp16"]
Loss = Callable[[Tensor, Tensor], Tensor]  # logits (n, classes), class indices (n,) -> loss of each example (n,)


def softmax_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, for classes that exclude each other."""
    return F.cross_entropy(logits, labels, reduction="none")


def sigmoid_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Sigmoid cross-entropy, averaged over the classes."""
    targets = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)


@dataclass(frozen=True, slots=True)
class Step:
    """A batch before the update, (n,) each; on the device, so that only whoever looks at them waits for the batch."""

    losses: Tensor
    correct: Tensor

    @property
    def loss(self) -> float:
        return self.losses.mean().item()

    @property
    def accuracy(self) -> float:
        return self.correct.float().mean().item()


@dataclass(frozen=True, slots=True)
class Validation:
    """What the network makes of n examples."""

    losses: np.ndarray  # (n,)
    logits: np.ndarray  # (n, classes) float32
    labels: np.ndarray  # (n,) class indices

    @property
    def loss(self) -> float:
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        """0 to 1."""
        return accuracy(self.logits, self.labels)

    @property
    def mean_average_precision(self) -> float:
        """0 to 1."""
        return mean_average_precision(self.logits, self.labels)


class Learner:
    """A network on the device of its parameters, with what training it needs.

    With several processes (`processes.joined`) a step takes each one's share of the batch, and all of them get the
    network that one process would get from the whole batch.

    Args:
        network: inputs (n, ...) -> logits (n, classes); the parameters that require gradients are trained.
        loss: `softmax_loss` or `sigmoid_loss`.
        learning_rate: of Adam.
        schedule: factor of the learning rate by step.
        precision: of the network's operations; parameters and loss stay float32, and `fp16` scales the loss.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        learning_rate: float,
        *,
        schedule: Schedule = constant,
        precision: Precision = "fp32",
    ) -> None:
        like = next(network.parameters())
        self._device, self._dtype = like.device, like.dtype
        # fp32 means fp32: by default cuDNN rounds its inputs to TF32, 10 bits of mantissa
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        if self._device.type == "cpu":
            cpu.warn_if_emulated(precision)
        self._autocast = torch.autocast(self._device.type, TYPES.get(precision), enabled=precision in TYPES)
        self._network, self._replica = network, processes.replica(network)
        self._loss = loss
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.Adam(trained, learning_rate, eps=ADAM_EPSILON, fused=True)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, schedule)
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=precision == "fp16")

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return float(self._schedule.get_last_lr()[0])

    def step(self, batch: Labeled) -> Step:
        """Update the network by this process's share of a batch, one example at least."""
        labels = self._placed(batch.labels)
        logits = self._logits(self._replica, batch.inputs)
        losses = self._loss(logits, labels)
        everywhere = processes.total(losses.new_tensor(len(losses)))
        self._optimizer.zero_grad()
        cost = losses.sum() * (processes.number() / everywhere)  # since gradients are averaged over processes
        self._scaler.scale(cost).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()
        return Step(losses.detach(), logits.detach().argmax(1) == labels)

    def validate(self, batches: Iterable[Labeled]) -> Validation:
        """The shares of all processes, one after the other, in eval mode; restores the mode."""
        was_training = self._network.training
        self._network.eval()
        seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        with torch.inference_mode():
            for batch in batches:
                logits = self._logits(self._network, batch.inputs).float()
                losses = self._loss(logits, self._placed(batch.labels))
                seen.append((losses.cpu().numpy(), logits.cpu().numpy(), batch.labels))
        self._network.train(was_training)
        parts = [part for share in processes.gathered(seen) for part in share]
        return Validation(*map(np.concatenate, zip(*parts, strict=True)))

    def state_dict(self) -> dict[str, Any]:
        """What later steps depend on, besides the network."""
        return {
            "optimizer": self._optimizer.state_dict(),
            "scheduler": self._schedule.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["scheduler"])
        self._scaler.load_state_dict(state["scaler"])

    def _logits(self, network: nn.Module, inputs: np.ndarray) -> Tensor:
        """In the type of the parameters."""
        placed = self._placed(inputs).to(self._dtype)
        with self._autocast:
            logits: Tensor = network(placed)
        return logits.to(self._dtype)

    def _placed(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor if self._device.type == "cpu" else tensor.pin_memory().to(self._device, non_blocking=True)
