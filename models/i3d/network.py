"""The I3D network (Carreira and Zisserman, arXiv:1705.07750): Inception-v1 inflated to 3D.

The state-dict keys are those of hassony2/kinetics_i3d_pytorch, a conversion of DeepMind's weights.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from torch_zoo.models.i3d.layers import CLASSES, FEATURES, MIXED, Widths


class I3D(nn.Sequential):
    """Clips (N, channels, T, 224, 224) in [-1, 1], T >= 10 -> features (N, 1024) and logits (N, 400).

    3 channels for RGB, 2 for flow. Both outputs are averaged over time.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            OrderedDict(
                conv3d_1a_7x7=Unit(channels, 64, kernel=7, stride=2),
                maxPool3d_2a_3x3=HalvingPool((1, 3, 3)),
                conv3d_2b_1x1=Unit(64, 64),
                conv3d_2c_3x3=Unit(64, 192, kernel=3),
                maxPool3d_3a_3x3=HalvingPool((1, 3, 3)),
                mixed_3b=Mixed(*MIXED["3b"]),
                mixed_3c=Mixed(*MIXED["3c"]),
                maxPool3d_4a_3x3=HalvingPool((3, 3, 3)),
                mixed_4b=Mixed(*MIXED["4b"]),
                mixed_4c=Mixed(*MIXED["4c"]),
                mixed_4d=Mixed(*MIXED["4d"]),
                mixed_4e=Mixed(*MIXED["4e"]),
                mixed_4f=Mixed(*MIXED["4f"]),
                maxPool3d_5a_2x2=nn.MaxPool3d(2, ceil_mode=True),
                mixed_5b=Mixed(*MIXED["5b"]),
                mixed_5c=Mixed(*MIXED["5c"]),
                avg_pool=nn.AvgPool3d((2, 7, 7), stride=1),
                conv3d_0c_1x1=nn.Sequential(OrderedDict(conv3d=nn.Conv3d(FEATURES, CLASSES, 1))),
            )
        )

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        *body, average, classifier = self
        maps = clips
        for layer in body:
            maps = layer(maps)
        features = average(maps.float()).mean((2, 3, 4), keepdim=True)
        logits = classifier(features.to(maps.dtype))  # linear, so averaging over time first gives the same
        return features.flatten(1), logits.flatten(1)

    def fold(self) -> I3D:
        """Fold the batch norms into the convolutions before them, for inference; the state-dict keys change."""
        for module in self.modules():
            if isinstance(module, Unit) and isinstance(module.batch3d, nn.BatchNorm3d):
                module.conv3d = fuse_conv_bn_eval(module.conv3d.eval(), module.batch3d.eval())
                module.batch3d = nn.Identity()
        return self


class Unit(nn.Module):
    """Convolution, batch norm, ReLU. The padding k - s of each axis is split in two; the smaller half comes first."""

    def __init__(self, channels: int, width: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        before, odd = divmod(kernel - stride, 2)
        self._pad = [before, before + odd] * 3 if odd else []
        self.conv3d = nn.Conv3d(channels, width, kernel, stride, padding=0 if odd else before, bias=False)
        self.batch3d: nn.Module = nn.BatchNorm3d(width)

    def forward(self, maps: Tensor) -> Tensor:
        if self._pad:
            maps = functional.pad(maps, self._pad)
        return functional.relu(self.batch3d(self.conv3d(maps)), inplace=True)


class HalvingPool(nn.Module):
    """Max pool with stride 2 along the axes where the kernel is 3, zero-padded at the end: n -> ceil(n / 2).

    Zeros don't change the maximum, since inputs are non-negative. Even axes need no padding: ceil_mode lets the last
    window extend past the end.
    """

    def __init__(self, kernel: tuple[int, int, int]) -> None:
        super().__init__()
        self._pooled = [size == 3 for size in kernel]
        self._pool = nn.MaxPool3d(kernel, tuple(2 if size == 3 else 1 for size in kernel), ceil_mode=True)

    def forward(self, maps: Tensor) -> Tensor:
        missing = [size % 2 if pooled else 0 for size, pooled in zip(maps.shape[2:], self._pooled, strict=True)]
        if any(missing):
            time, rows, columns = missing
            maps = functional.pad(maps, [0, columns, 0, rows, 0, time])
        pooled: Tensor = self._pool(maps)
        return pooled


class Mixed(nn.Module):
    """An Inception block: four branches, concatenated."""

    def __init__(self, channels: int, widths: Widths) -> None:
        super().__init__()
        alone, before_1, after_1, before_2, after_2, pooled = widths
        self.branch_0 = Unit(channels, alone)
        self.branch_1 = nn.Sequential(Unit(channels, before_1), Unit(before_1, after_1, kernel=3))
        self.branch_2 = nn.Sequential(Unit(channels, before_2), Unit(before_2, after_2, kernel=3))
        self.branch_3 = nn.Sequential(nn.MaxPool3d(3, stride=1, padding=1), Unit(channels, pooled))

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([self.branch_0(maps), self.branch_1(maps), self.branch_2(maps), self.branch_3(maps)], dim=1)
