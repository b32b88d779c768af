"""The interface shared by the flow networks: clips of frames in, flow from each frame to the next out."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class FlowNetwork(nn.Module, ABC):
    """RGB frames (..., T + 1, 3, H, W) in 0..255 -> flow (..., T, 2, H, W) float32 in pixels, x before y.

    Per-frame features are computed once per frame, although all frames but the first and the last are in two pairs. A
    pair of frames is a clip with T = 1. Coordinates are float32 whatever the dtype of the weights.
    """

    def forward(self, frames: Tensor) -> Tensor:
        *leading, number, _, height, width = frames.shape
        clips = frames.reshape(-1, *frames.shape[-4:])
        return self.flow(clips).reshape(*leading, number - 1, 2, height, width)

    @abstractmethod
    def flow(self, clips: Tensor) -> Tensor:
        """Clips (N, T + 1, 3, H, W) -> (N * T, 2, H, W)."""


class ClipFlow(nn.Module):
    """Clips of decoded frames, (N, T + 1, H, W, 3) uint8 -> flow (N, T, 2, H, W) float32 in pixels."""

    def __init__(self, network: FlowNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        flow: Tensor = self.network(clips.permute(0, 1, 4, 2, 3).to(next(self.parameters()).dtype))
        return flow


def frame_pairs(maps: Tensor, clips: int) -> tuple[Tensor, Tensor]:
    """Feature maps of all frames of N clips, (N * (T + 1), ...) -> maps of the first and second frame of each pair."""
    by_clip = maps.unflatten(0, (clips, -1))
    return by_clip[:, :-1].flatten(0, 1), by_clip[:, 1:].flatten(0, 1)
