"""The networks of VGGSound (Chen et al. 2020, arXiv:2004.14368): a ResNet on a spectrogram, with NetVLAD or without.

State-dict keys are those of the published checkpoints. The trunks are torchvision's; in bottlenecks the stride is that
of the 3 x 3 convolution.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import resnet

from torch_zoo.models.vggsound.layers import CLUSTERS, Model, Pooling
from torch_zoo.models.vggsound.weights import fitting
from torch_zoo.utils.checkpoints import Checkpoint


class VGGSound(nn.Module):
    """Spectrograms (N, 1, 257, T) -> pooled features (N, D) and logits (N, classes).

    D is 512 (resnet50: 2048) with average pooling, 16 times that with NetVLAD.
    """

    def __init__(self, model: Model, pooling: Pooling, classes: int) -> None:
        super().__init__()
        trunk = getattr(resnet, model)(num_classes=classes)
        trunk.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        if pooling == "netvlad":
            width = trunk.fc.in_features
            del trunk.fc
            trunk.avgpool = NetVLAD(CLUSTERS, width)
            trunk.fc_ = nn.Linear(CLUSTERS * width, classes)
        self.audnet = trunk

    @classmethod
    def with_weights(cls, weights: Checkpoint, model: Model, pooling: Pooling, classes: int) -> VGGSound:
        """On the CPU, without gradients. Raises UsageError if the weights don't fit."""

        def state_dict(saved: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return fitting(saved, weights.path, pooling, classes)

        with torch.device("meta"):
            network = cls(model, pooling, classes)
        weights.load(network, state_dict)
        return network.eval()

    @property
    def classifier(self) -> nn.Linear:
        """The last layer, which makes logits of pooled features."""
        layer: nn.Linear = self.audnet.fc_ if hasattr(self.audnet, "fc_") else self.audnet.fc
        return layer

    def forward(self, spectrograms: Tensor) -> tuple[Tensor, Tensor]:
        net = self.audnet
        maps = net.maxpool(net.relu(net.bn1(net.conv1(spectrograms))))
        maps = net.layer4(net.layer3(net.layer2(net.layer1(maps))))
        pooled = net.avgpool(maps.float()).flatten(1)
        logits: Tensor = self.classifier(pooled.to(maps.dtype))
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
