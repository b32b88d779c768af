"""RAFT (Teed and Deng, arXiv:2003.12039): torchvision's layers; only the last iteration is upsampled."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.optical_flow import raft_large

from torch_zoo.models.flow.network import FlowNetwork, frame_pairs

STRIDE = 8  # of the feature maps


class RAFT(FlowNetwork):
    """State-dict keys as in torchvision's files. H and W must be at least 128 after padding to multiples of 8."""

    def __init__(self, updates: int = 20) -> None:
        super().__init__()
        layers = raft_large(weights=None, progress=False)
        self.updates = updates
        self.feature_encoder = layers.feature_encoder
        self.context_encoder = layers.context_encoder
        self.corr_block = layers.corr_block
        self.update_block = layers.update_block
        self.mask_predictor = layers.mask_predictor

    def flow(self, clips: Tensor) -> Tensor:
        left, right, top, bottom = padding(*clips.shape[-2:])
        scaled = clips.flatten(0, 1) * (2 / 255) - 1
        frames = functional.pad(scaled, [left, right, top, bottom], mode="replicate")
        first, second = frame_pairs(self.feature_encoder(frames), len(clips))
        self.corr_block.build_pyramid(first.float(), second.float())
        coarse, state = self._updated(self.context_encoder(frame_pairs(frames, len(clips))[0]))
        self.corr_block.corr_pyramid = []
        flow = upsample(coarse, self.mask_predictor(state).float())
        return flow[..., top : flow.shape[-2] - bottom, left : flow.shape[-1] - right]

    def _updated(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Flow (N, 2, H / 8, W / 8) in pixels of the feature maps, and the last hidden state."""
        width = self.update_block.hidden_state_size
        state, context = torch.tanh(context[:, :width]), torch.relu(context[:, width:])
        rows, columns = (torch.arange(size, device=context.device) for size in context.shape[-2:])
        start = torch.stack(torch.meshgrid(columns, rows, indexing="xy")).float().expand(len(context), -1, -1, -1)
        flow = torch.zeros_like(start)
        for _ in range(self.updates):
            correlation = self.corr_block.index_pyramid(start + flow).to(state.dtype)
            state, change = self.update_block(state, context, correlation, flow.to(state.dtype))
            flow = flow + change.float()
        return flow, state


def padding(height: int, width: int) -> tuple[int, int, int, int]:
    """Left, right, top, bottom: frames are centered in the next multiples of 8, as the authors pad Sintel."""
    rows, columns = -height % STRIDE, -width % STRIDE
    return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def upsample(flow: Tensor, mask: Tensor) -> Tensor:
    """Coarse flow (N, 2, h, w) -> (N, 2, 8h, 8w): each pixel is a convex combination of its 3 x 3 coarse neighbors.

    The mask (N, 9 * 8 * 8, h, w) holds the weights before the softmax.
    """
    number, _, rows, columns = flow.shape
    weights = mask.view(number, 1, 9, STRIDE, STRIDE, rows, columns).softmax(dim=2)
    around = functional.unfold(STRIDE * flow, 3, padding=1).view(number, 2, 9, 1, 1, rows, columns)
    fine = (weights * around).sum(2)  # (N, 2, 8, 8, h, w)
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(number, 2, STRIDE * rows, STRIDE * columns)
