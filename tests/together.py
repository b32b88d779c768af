"""Run by torchrun: two processes train a network with batch norm in float64, and the first one saves it."""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch import nn

from torch_zoo.utils.training import processes
from torch_zoo.utils.training.labeled import Labeled
from torch_zoo.utils.training.learner import Learner, Validation, softmax_loss
from torch_zoo.utils.training.schedule import schedule

BATCH, STEPS = 7, 4  # so that the shares differ


def network() -> nn.Module:
    torch.manual_seed(0)
    convolution = nn.Conv2d(1, 5, 3, bias=False)  # the batch norm takes a bias away: only rounding would train it
    layers = (convolution, nn.BatchNorm2d(5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
    return nn.Sequential(*layers).double()


def batch(seed: int) -> Labeled:
    random = np.random.default_rng(seed)
    return Labeled(random.normal(size=(BATCH, 1, 8, 8)), random.integers(0, 3, BATCH))


def share(whole: Labeled) -> Labeled:
    part = slice(processes.rank(), None, processes.number())
    return Labeled(whole.inputs[part], whole.labels[part])


def trained() -> tuple[nn.Module, Validation, int]:
    """The network, how good it is, and how many examples this process had."""
    model = network()
    learner = Learner(model, softmax_loss, 0.01, schedule=schedule("cosine", warmup=1, total=STEPS))
    steps = [learner.step(share(batch(seed))) for seed in range(STEPS)]
    validation = learner.validate([share(batch(seed)) for seed in range(10, 13)])
    return model, validation, sum(len(step.losses) for step in steps)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with processes.joined("cpu"):
        model, validation, examples = trained()
        found = {
            "state": model.state_dict(),
            "validation": [validation.accuracy, validation.mean_average_precision],
            "examples": processes.gathered(examples),
        }
        if processes.rank() == 0:
            torch.save(found, sys.argv[1])
