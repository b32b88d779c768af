"""A network of two layers, for tests of checkpoints."""

from __future__ import annotations

import torch
from torch import nn

from torch_zoo.utils.checkpoints import Checkpoint
from torch_zoo.utils.downloads import PublishedFile

NOWHERE = PublishedFile("https://127.0.0.1:9/none.pth", "00", "none")


def network(width: int = 3) -> nn.Module:
    with torch.device("meta"):
        return nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 1))


def state(width: int = 3) -> dict[str, torch.Tensor]:
    return {key: torch.rand(value.shape) for key, value in network(width).state_dict().items()}


def loaded(checkpoint: Checkpoint, width: int = 3) -> dict[str, torch.Tensor]:
    built = network(width)
    checkpoint.load(built)
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in built.parameters())
    return built.state_dict()
