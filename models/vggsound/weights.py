"""The published weights of VGGSound's classifiers, with what is known of them.

Chen et al. 2020, "VGGSound: A Large-scale Audio-Visual Dataset" (arXiv:2004.14368); the figures are those of the
README of hche11/VGGSound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch_zoo.models.vggsound.layers import Model, Pooling
from torch_zoo.utils import checkpoints
from torch_zoo.utils.downloads import PublishedFile
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Published weights: what they were trained on, what they take, and how good they are."""

    name: str  # in the published table
    file: PublishedFile
    mean_average_precision: float  # on VGGSound's test split, mean over the classes
    mean_auc: float
    d_prime: float
    training_set: str = "VGGSound, training split (2020)"
    sample_rate: int = 16_000  # Hz
    input_shape: tuple[int, int, int] = (1, 257, 1004)  # of ten seconds
    classes: int = 309


def _published(name: str) -> PublishedFile:
    return PublishedFile(
        url=f"https://www.robots.ox.ac.uk/~vgg/data/vggsound/models/{name}.pth.tar",
        sha256="",  # none is published; only keys and shapes are checked
        license="none stated (VGG, University of Oxford); the data set is CC BY 4.0",
        name=f"vggsound_{name}.pth.tar",
    )


WEIGHTS: dict[tuple[Model, Pooling], ModelCard] = {
    ("resnet18", "avgpool"): ModelCard("H", _published("H"), 0.516, 0.968, 2.627),
    ("resnet18", "netvlad"): ModelCard("I", _published("I"), 0.512, 0.970, 2.660),
}


def resolve(model: Model, pooling: Pooling, checkpoint: str, seed: int) -> checkpoints.Checkpoint:
    """`checkpoint` is pretrained (downloaded once), demo, random (from `seed`) or a path. Raises UsageError."""
    card = WEIGHTS.get((model, pooling))
    return checkpoints.resolve(checkpoint, card.file if card else None, seed)


def fitting(saved: Mapping[str, Tensor], path: Path | None, pooling: Pooling, classes: int) -> dict[str, Tensor]:
    """The state dict of a checkpoint. Raises UsageError if its classifier has another pooling or number of classes."""
    state = state_dict(saved)
    if found := head(state):
        its_pooling, number = found
        if its_pooling != pooling:
            raise UsageError(f"{path}: holds a network with {its_pooling}; the option pooling must be {its_pooling}")
        if number != classes:
            raise UsageError(
                f"{path}: holds a network of {number} classes instead of {classes}; "
                "the option labels must be the list of its classes"
            )
    return state


def state_dict(saved: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a published or trained checkpoint, its entry `model_state_dict`; a bare one as it is."""
    entry = saved.get("model_state_dict")
    state = entry if isinstance(entry, Mapping) else saved
    return {key.removeprefix("module."): tensor for key, tensor in state.items()}


def head(state: Mapping[str, Tensor]) -> tuple[Pooling, int] | None:
    """Pooling and number of classes of a state dict, if it has a classifier."""
    layers: dict[str, Pooling] = {"audnet.fc.weight": "avgpool", "audnet.fc_.weight": "netvlad"}
    for key, pooling in layers.items():
        if shape := getattr(state.get(key), "shape", None):
            return pooling, int(shape[0])
    return None
