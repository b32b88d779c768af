"""What a training says of its network before it begins."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.training import processes
from torch_zoo.utils.urls import without_secrets


def described(name: str, network: nn.Module, checkpoint: str, seed: int, device: str) -> str:
    """The network, its weights (an option: random, pretrained or a path), its devices, and what is trained."""
    weights = {"random": f"random weights (seed {seed})", "pretrained": "pretrained weights"}
    where = f"cpu ({cpu_cores()} cores)" if device == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})"
    if processes.number() > 1:
        where += f", in {processes.number()} processes"
    total, trained = _parameters(network), _parameters(network, trained=True)
    parts = [part for part, module in network.named_children() if _parameters(module, trained=True)]
    which = "all layers are trained" if total == trained else f"only the {', '.join(parts)} is trained"
    known = weights.get(checkpoint) or f"the weights of {without_secrets(checkpoint)}"
    return f"{name}, {known}, on {where}; {which}: {trained:,} of {total:,} parameters"


def _parameters(module: nn.Module, trained: bool = False) -> int:
    return sum(Tensor.numel(each) for each in module.parameters() if each.requires_grad or not trained)
