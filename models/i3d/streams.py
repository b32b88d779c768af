"""The modules that I3D runs on the device: quantized flow for clips of frames, and both streams for stacks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from torch_zoo.models.flow.estimator import LARGEST_FLOW, FlowType, crop_offset
from torch_zoo.models.flow.network import FlowNetwork
from torch_zoo.models.i3d.network import I3D
from torch_zoo.models.i3d.stacks import CROP
from torch_zoo.models.i3d.weights import CHANNELS, Stream


class TwoStreams(nn.Module):
    """Stacks (N, channels, S, 224, 224) in 0 ... 256 -> features and logits, (N, 1424) per stream, concatenated.

    RGB and quantized flow are scaled alike: 2 / 255 * value - 1.
    """

    def __init__(self, networks: Mapping[Stream, I3D]) -> None:
        super().__init__()
        self._channels = [CHANNELS[stream] for stream in networks]
        self.networks = nn.ModuleList(networks.values())

    def forward(self, stacks: Tensor) -> Tensor:
        like = next(self.parameters())
        values = stacks.to(like.dtype).contiguous(memory_format=torch.channels_last_3d)
        clips = (2 * values / 255 - 1).split(self._channels, dim=1)
        outputs = [output for network, clip in zip(self.networks, clips, strict=True) for output in network(clip)]
        return torch.cat(outputs, dim=1)


class QuantizedFlow(nn.Module):
    """Clips of frames (N, T + 1, H, W, 3) uint8 -> center crops (N, T, channels, 224, 224) int16.

    The channels are RGB (optional) and the quantized flow to the next frame, x before y. Cropping on the device keeps
    the copy to the host small.
    """

    def __init__(self, network: FlowNetwork, kind: FlowType, with_rgb: bool) -> None:
        super().__init__()
        self.network = network
        self._kind: FlowType = kind
        self._with_rgb = with_rgb

    def forward(self, clips: Tensor) -> Tensor:
        frames = clips.permute(0, 1, 4, 2, 3)
        height, width = frames.shape[-2:]
        flow = self.network(frames.to(next(self.parameters()).dtype))
        top, left = (crop_offset(self._kind, length, CROP) for length in (height, width))
        quantized = quantize_flow(flow[..., top : top + CROP, left : left + CROP])
        if not self._with_rgb:
            return quantized
        top, left = ((length - CROP) // 2 for length in (height, width))
        rgb = frames[:, :-1, :, top : top + CROP, left : left + CROP]
        return torch.cat([rgb.to(quantized.dtype), quantized], dim=2)


def quantize_flow(flow: Tensor) -> Tensor:
    """Flow in px -> int16 0 ... 256: -20 px is 0, no motion is 128, +20 px is 256 (255.5, rounded half to even)."""
    scaled = flow.float().clamp(-LARGEST_FLOW, LARGEST_FLOW) * (255 / (2 * LARGEST_FLOW))
    return (scaled + 128).round().to(torch.int16)
