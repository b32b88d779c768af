"""Both streams of I3D as one network, for one batch of clips."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from torch_zoo.models.i3d.network import I3D
from torch_zoo.models.i3d.weights import CHANNELS, Stream


class TwoStreams(nn.Module):
    """Levels (N, channels, S, 224, 224), 0 ... 256 -> features and logits of each stream side by side, (N, 1424 each).

    RGB and flow have the same scale: 2 / 255 * level - 1.
    """

    def __init__(self, networks: Mapping[Stream, I3D]) -> None:
        super().__init__()
        self._channels = [CHANNELS[stream] for stream in networks]
        self.networks = nn.ModuleList(networks.values())

    def forward(self, levels: Tensor) -> Tensor:
        clips = (2 * levels / 255 - 1).split(self._channels, dim=1)
        outputs = [output for network, clip in zip(self.networks, clips, strict=True) for output in network(clip)]
        return torch.cat(outputs, dim=1)
