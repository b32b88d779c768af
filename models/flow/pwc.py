"""PWC-Net (Sun et al., arXiv:1709.02371), with the state-dict keys of the weights published by sniklaus/pytorch-pwc."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from torch_zoo.models.flow.network import FlowNetwork, frame_pairs

SLOPE = 0.1  # of the leaky ReLUs
FLOW_SCALE = 20.0  # pixels at full resolution per unit of the network
STRIDE = 64  # of the coarsest maps
REACH = 4  # of the cost volume, pixels in each direction
VOLUME = (2 * REACH + 1) ** 2

NAMES = ("One", "Two", "Thr", "Fou", "Fiv", "Six")
PYRAMID = dict(zip(NAMES, (16, 32, 64, 96, 128, 196), strict=True))  # channels of each level's maps
DENSE = (128, 128, 96, 64, 32)  # output channels of the densely connected convolutions of a level's estimator
CONTEXT = ((128, 1), (128, 2), (128, 4), (96, 8), (64, 16), (32, 1), (2, 1))  # channels and dilation


class PWCNet(FlowNetwork):
    """Frames are resized to multiples of 64, and the flow back."""

    def __init__(self) -> None:
        super().__init__()
        self.moduleExtractor = nn.ModuleDict(_pyramid())
        for level, name in enumerate(NAMES[1:], start=2):
            self.add_module(f"module{name}", Level(level))
        self.moduleRefiner = nn.ModuleDict({"moduleMain": _context(Level.width(2))})

    def flow(self, clips: Tensor) -> Tensor:
        height, width = clips.shape[-2:]
        size = [-(-length // STRIDE) * STRIDE for length in (height, width)]
        frames = clips.flatten(0, 1).flip(1) / 255  # BGR
        frames = functional.interpolate(frames, size, mode="bilinear", align_corners=False)
        maps = {}
        for name, stage in self.moduleExtractor.items():
            frames = maps[name] = stage(frames)
        coarser: tuple[Tensor, Tensor] | None = None
        for name in reversed(NAMES[1:]):
            first, second = frame_pairs(maps[f"module{name}"], len(clips))
            coarser = self.get_submodule(f"module{name}")(first, second, coarser)
        assert coarser is not None
        flow, features = coarser
        flow = (flow + self.moduleRefiner["moduleMain"](features)).float()
        flow = functional.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
        flow[:, 0] *= FLOW_SCALE * width / size[1]
        flow[:, 1] *= FLOW_SCALE * height / size[0]
        return flow


class Level(nn.Module):
    """The flow estimator of one level, 2 (finest) to 6, from both frames' maps and the coarser level's output."""

    def __init__(self, level: int) -> None:
        super().__init__()
        channels = self.inputs(level)
        self._pixels = FLOW_SCALE / 2**level  # of this level per unit of flow
        if level < len(NAMES):
            self.moduleUpflow = nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1)
            self.moduleUpfeat = nn.ConvTranspose2d(self.width(level + 1), 2, 4, stride=2, padding=1)
        for name, width in zip(NAMES, DENSE, strict=False):
            self.add_module(f"module{name}", nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), _activation()))
            channels += width
        self.moduleSix = nn.Sequential(nn.Conv2d(channels, 2, 3, padding=1))

    def forward(self, first: Tensor, second: Tensor, coarser: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        if coarser is None:
            features = functional.leaky_relu(cost_volume(first, second), SLOPE)
        else:
            flow, features = self.moduleUpflow(coarser[0]), self.moduleUpfeat(coarser[1])
            volume = cost_volume(first, warp(second, flow.float() * self._pixels))
            features = torch.cat([functional.leaky_relu(volume, SLOPE), first, flow, features], dim=1)
        for name in NAMES[: len(DENSE)]:
            features = torch.cat([self.get_submodule(f"module{name}")(features), features], dim=1)
        return self.moduleSix(features), features

    @staticmethod
    def inputs(level: int) -> int:
        """Input channels of its estimator."""
        return VOLUME if level == len(NAMES) else VOLUME + PYRAMID[NAMES[level - 1]] + 2 + 2

    @staticmethod
    def width(level: int) -> int:
        """Channels of the features it outputs."""
        return Level.inputs(level) + sum(DENSE)


def cost_volume(first: Tensor, second: Tensor) -> Tensor:
    """Channel mean of first * second, for displacements of up to 4 pixels: two (N, C, H, W) -> (N, 81, H, W).

    Channel (dy + 4) * 9 + dx + 4 compares first[y, x] with second[y + dy, x + dx]; the maps are zero-padded.
    """
    height, width = first.shape[-2:]
    padded = functional.pad(second, [REACH] * 4)
    return torch.stack(
        [
            (first * padded[:, :, dy : dy + height, dx : dx + width]).mean(1)
            for dy in range(2 * REACH + 1)
            for dx in range(2 * REACH + 1)
        ],
        dim=1,
    )


def warp(maps: Tensor, flow: Tensor) -> Tensor:
    """Maps (N, C, H, W) sampled where the flow (N, 2, H, W) points, in pixels of the maps; zero outside."""
    height, width = maps.shape[-2:]
    x = torch.linspace(-1, 1, width, device=flow.device) + flow[:, 0] * (2 / (width - 1))
    y = torch.linspace(-1, 1, height, device=flow.device)[:, None] + flow[:, 1] * (2 / (height - 1))
    grid = torch.stack([x, y], dim=-1)
    known = functional.grid_sample(torch.ones_like(flow[:, :1]), grid, align_corners=True) > 0.999
    warped = functional.grid_sample(maps.float(), grid, align_corners=True)
    return (warped * known).to(maps.dtype)


def _pyramid() -> dict[str, nn.Module]:
    stages: dict[str, nn.Module] = {}
    channels = 3
    for name, width in PYRAMID.items():
        layers: list[nn.Module] = []
        for before, stride in ((channels, 2), (width, 1), (width, 1)):
            layers += [nn.Conv2d(before, width, 3, stride, padding=1), _activation()]
        stages[f"module{name}"] = nn.Sequential(*layers)
        channels = width
    return stages


def _context(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width, dilation in CONTEXT:
        layers += [nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation), _activation()]
        channels = width
    return nn.Sequential(*layers[:-1])


def _activation() -> nn.Module:
    return nn.LeakyReLU(SLOPE, inplace=True)
