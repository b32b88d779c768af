"""What a training says of its network before it begins."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torch_zoo.utils.devices import cpu_cores


def described(name: str, network: nn.Module, checkpoint: str, seed: int, device: str) -> str:
    """The network, its weights (an option: random, pretrained or a path), its device, and what of it is trained."""
    weights = {"random": f"random weights (seed {seed})", "pretrained": "pretrained weights"}
    where = f"cpu ({cpu_cores()} cores)" if device == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})"
    total, trained = _parameters(network), _parameters(network, trained=True)
    parts = [part for part, module in network.named_children() if _parameters(module, trained=True)]
    which = "all layers are trained" if total == trained else f"only the {', '.join(parts)} is trained"
    return (
        f"{name}, {weights.get(checkpoint, f'the weights of {checkpoint}')}, on {where}; "
        f"{which}: {trained:,} of {total:,} parameters"
    )


def _parameters(module: nn.Module, trained: bool = False) -> int:
    return sum(Tensor.numel(each) for each in module.parameters() if each.requires_grad or not trained)
