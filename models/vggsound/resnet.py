"""The trunks of VGGSound's networks: ResNet-18, -34 and -50 (He et al. 2015, arXiv:1512.03385) on one channel.

Modules are named as in torchvision, whose ResNets these are: in bottlenecks, the 3 x 3 convolution has the stride. They
are written out because importing torchvision takes longer than importing torch.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from torch_zoo.models.vggsound.layers import Model

DEPTHS: dict[Model, tuple[int, int, int, int]] = {  # blocks per stage
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
}


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _convolution(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _convolution(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, maps: Tensor) -> Tensor:
        residual = functional.relu(self.bn1(self.conv1(maps)), inplace=True)
        residual = self.bn2(self.conv2(residual))
        return functional.relu(residual.add_(self.downsample(maps)), inplace=True)


class Bottleneck(nn.Module):
    """Three convolutions, the middle one with fewer channels, beside a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1, self.bn1 = _convolution(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _convolution(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = _convolution(width, outputs, 1), nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, maps: Tensor) -> Tensor:
        residual = functional.relu(self.bn1(self.conv1(maps)), inplace=True)
        residual = functional.relu(self.bn2(self.conv2(residual)), inplace=True)
        residual = self.bn3(self.conv3(residual))
        return functional.relu(residual.add_(self.downsample(maps)), inplace=True)


class ResNet(nn.Module):
    """Spectrograms (N, 1, H, W) -> maps (N, 512, H / 32, W / 32), sizes rounded up; of ResNet-50, 2048 channels."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.conv1, self.bn1 = _convolution(1, 64, 7, stride=2), nn.BatchNorm2d(64)
        block = Bottleneck if model == "resnet50" else BasicBlock
        channels = 64
        for stage, depth in enumerate(DEPTHS[model]):
            width, strides = 64 << stage, [2 if stage else 1] + [1] * (depth - 1)
            layer = nn.Sequential()
            for stride in strides:
                layer.append(block(channels, width, stride))
                channels = width * block.expansion
            self.add_module(f"layer{stage + 1}", layer)

    def forward(self, spectrograms: Tensor) -> Tensor:
        maps = functional.relu(self.bn1(self.conv1(spectrograms)), inplace=True)
        maps = functional.max_pool2d(maps, 3, stride=2, padding=1)
        for number in range(1, 5):
            maps = self.get_submodule(f"layer{number}")(maps)
        return maps


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return nn.Sequential(_convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
