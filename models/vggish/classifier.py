"""An audio classifier on top of VGGish.

The head is that of Google's training demo (tensorflow/models, research/audioset/vggish).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from torch_zoo.models.vggish.network import VGGish
from torch_zoo.models.vggish.postprocess import WIDTH
from torch_zoo.utils.checkpoints import Checkpoint
from torch_zoo.utils.devices import DeviceModel
from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.types import UsageError

HIDDEN_UNITS = 100
INFERENCE_BATCH = 64


class Classifier(nn.Module):
    """(N, 1, 96, 64) float -> (N, classes) logits: VGGish's embedding with its ReLU, 100 units with ReLU, linear."""

    def __init__(self, vggish: VGGish, classes: Sequence[str]) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.vggish = vggish
        self.head = nn.Sequential(
            nn.Linear(WIDTH, HIDDEN_UNITS), nn.ReLU(inplace=True), nn.Linear(HIDDEN_UNITS, len(self.classes))
        )

    def forward(self, examples: Tensor) -> Tensor:
        logits: Tensor = self.head(self.vggish(examples))
        return logits

    @classmethod
    def start(cls, weights: Checkpoint, classes: Sequence[str], seed: int) -> Classifier:
        """A frozen VGGish with `weights` and a new head: Xavier-uniform weights from `seed`, zero biases.

        Raises UsageError if the weights don't fit VGGish.
        """
        model = cls(VGGish.with_weights(weights, final_relu=True), classes)
        generator = torch.Generator().manual_seed(seed)
        for layer in model.head:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                nn.init.zeros_(layer.bias)
        return model

    @classmethod
    def load(cls, path: str | Path) -> Classifier:
        """Load a model that `save` wrote, on the CPU. Raises UsageError if the file is not one."""
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            with torch.device("meta"):
                model = cls(VGGish(final_relu=True), saved["classes"])
            model.load_state_dict(saved["weights"], assign=True)
        except FileNotFoundError as error:
            raise UsageError(f"{path}: no such file; give the model.pt that training saved") from error
        except Exception as error:  # torch raises a different type for each way a file can be wrong
            raise UsageError(f"{path}: not a model.pt that training saved, or damaged") from error
        return model.requires_grad_(False).eval()

    def save(self, path: Path) -> None:
        """Write all weights, including VGGish's, and the class names to one file."""
        weights = {key: tensor.cpu().contiguous() for key, tensor in self.state_dict().items()}
        with atomic_write(path) as partial:
            torch.save({"classes": list(self.classes), "weights": weights}, partial)

    def logits(self, examples: np.ndarray, device: str) -> np.ndarray:
        """(n, 1, 96, 64) float32 -> (n, classes) float32; moves the model to the device."""
        on_device = DeviceModel(self, device, "fp32")
        parts = range(0, len(examples), INFERENCE_BATCH)
        computed = [on_device(examples[first : first + INFERENCE_BATCH])() for first in parts]
        return np.concatenate([np.zeros((0, len(self.classes)), np.float32), *computed])

    def scores(self, examples: np.ndarray, device: str = "cpu") -> dict[str, float]:
        """Score of each class, 0 to 1, for one source: the mean over its examples (n, 1, 96, 64), n > 0."""
        scores = torch.from_numpy(self.logits(examples, device)).sigmoid().mean(0)
        return dict(zip(self.classes, scores.tolist(), strict=True))
