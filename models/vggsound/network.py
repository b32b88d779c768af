"""The networks of VGGSound (Chen et al. 2020, arXiv:2004.14368): a ResNet on a spectrogram, with NetVLAD or without.

State-dict keys are those of the published checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from torch_zoo.models.vggsound.layers import CHANNELS, CLUSTERS, Model, Pooling, width
from torch_zoo.models.vggsound.resnet import ResNet


class VGGSound(nn.Module):
    """Spectrograms (N, 1, 257, T) -> pooled features (N, D) and logits (N, classes).

    D is 512 (resnet50: 2048) with average pooling, 16 times that with NetVLAD.
    """

    def __init__(self, model: Model, pooling: Pooling, classes: int) -> None:
        super().__init__()
        netvlad = pooling == "netvlad"
        self._classifier = "fc_" if netvlad else "fc"
        self.audnet = ResNet(model)
        self.audnet.add_module("avgpool", NetVLAD(CLUSTERS, CHANNELS[model]) if netvlad else nn.AdaptiveAvgPool2d(1))
        self.audnet.add_module(self._classifier, nn.Linear(width(model, pooling), classes))

    def forward(self, spectrograms: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.audnet(spectrograms)
        pooled = self.audnet.get_submodule("avgpool")(maps.float()).flatten(1)
        logits = self.audnet.get_submodule(self._classifier)(pooled.to(maps.dtype))
        return pooled, logits

    def fold(self) -> VGGSound:
        """Fold the batch norms into the convolutions before them, for inference; the state-dict keys change."""
        for module in list(self.modules()):
            for number in (1, 2, 3):
                if hasattr(module, f"bn{number}"):
                    _fold(module, f"conv{number}", f"bn{number}")
            if isinstance(shortcut := getattr(module, "downsample", None), nn.Sequential):
                _fold(shortcut, "0", "1")
        return self


def _fold(parent: nn.Module, convolution: str, norm: str) -> None:
    before, after = parent.get_submodule(convolution).eval(), parent.get_submodule(norm).eval()
    assert isinstance(before, nn.Conv2d) and isinstance(after, nn.BatchNorm2d)
    setattr(parent, convolution, fuse_conv_bn_eval(before, after))
    setattr(parent, norm, nn.Identity())


class Joined(nn.Module):
    """The outputs of a network as one array, which a device returns at once: (N, D + classes)."""

    def __init__(self, network: VGGSound) -> None:
        super().__init__()
        self.network = network

    def forward(self, spectrograms: Tensor) -> Tensor:
        return torch.cat([output.float() for output in self.network(spectrograms)], dim=1)


class NetVLAD(nn.Module):
    """Maps (N, C, H, W) -> residuals from `clusters` centroids (N, clusters * C) (arXiv:1511.07247).

    Each position is L2-normalized and softly assigned to the clusters; the residuals of a cluster are summed and
    L2-normalized, and so are all of them together.
    """

    def __init__(self, clusters: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, clusters, 1)
        self.centroids = nn.Parameter(torch.rand(clusters, channels))

    def forward(self, maps: Tensor) -> Tensor:
        unit = functional.normalize(maps.float(), dim=1)
        assigned = self.conv(unit.to(self.conv.weight.dtype)).float().softmax(1).flatten(2)  # (N, clusters, positions)
        sums = assigned @ unit.flatten(2).transpose(1, 2)  # (N, clusters, C)
        residuals = sums - assigned.sum(2, keepdim=True) * self.centroids.float()
        return functional.normalize(functional.normalize(residuals, dim=2).flatten(1), dim=1)
