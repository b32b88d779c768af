"""The VGGish network: log-mel examples in, 128-d embeddings out.

Layers and state-dict keys are those of the pretrained PyTorch weights (harritaylor/torchvggish), which are Google's
TensorFlow weights, transposed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torch_zoo.models.vggish.weights import VARIABLES, WEIGHTS
from torch_zoo.utils import checkpoints


class VGGish(nn.Module):
    """(N, 1, 96, 64) float -> (N, 128); `final_relu` as in every release before August 2020."""

    def __init__(self, final_relu: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width in (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool"):
            if width == "pool":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, int(width), 3, padding=1), nn.ReLU(inplace=True)]
                channels = int(width)
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 6 * 4, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 128),
            nn.ReLU(inplace=True) if final_relu else nn.Identity(),
        )

    @classmethod
    def with_weights(cls, weights: checkpoints.Checkpoint, final_relu: bool = True) -> VGGish:
        """On the CPU, without gradients. Raises UsageError if the weights don't fit."""
        with torch.device("meta"):
            network = cls(final_relu)
        weights.load(network)
        return network.eval()

    @classmethod
    def from_pretrained(cls, checkpoint: str = "pretrained", final_relu: bool = True, seed: int = 0) -> VGGish:
        """`checkpoint` as for main.py: pretrained (downloaded once), a path, or random (from `seed`)."""
        return cls.with_weights(checkpoints.resolve(checkpoint, WEIGHTS, seed, VARIABLES), final_relu)

    def forward(self, examples: Tensor) -> Tensor:
        maps = self.features(examples)  # (N, 512, 6, 4)
        flat = maps.permute(0, 2, 3, 1).flatten(1)  # TensorFlow's order: rows, columns, channels
        embeddings: Tensor = self.embeddings(flat)
        return embeddings
