"""Networks as they are trained: a batch of clips in, one row of logits per clip out."""

from __future__ import annotations

from torch import Tensor, nn

from torch_zoo.models.vggish.classifier import Classifier
from torch_zoo.models.vggsound.network import VGGSound


class OfSpectrograms(nn.Module):
    """(N, 1, 257, T) -> (N, classes)."""

    def __init__(self, network: VGGSound) -> None:
        super().__init__()
        self.network = network

    def forward(self, spectrograms: Tensor) -> Tensor:
        _, logits = self.network(spectrograms)
        return logits


class OfWindows(nn.Module):
    """(N, windows, 1, 96, 64) -> (N, classes): the mean of the logits over the windows of a clip."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        logits: Tensor = self.network(clips.flatten(0, 1))
        return logits.unflatten(0, clips.shape[:2]).mean(1)


ClipLogits = OfSpectrograms | OfWindows
