"""torch.hub entry points: every network with its weights, VGGish's preprocessing, and `extract`.

Networks are on the CPU, in eval mode and without gradients. `checkpoint` is as on the command line: `pretrained`
(downloaded once), a path, or `random` (drawn from `seed`); each raises UsageError if the weights are unavailable or do
not fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch
from torch import Tensor

from torch_zoo.models.flow import estimator
from torch_zoo.models.i3d.weights import CHANNELS, Stream, variables, with_norm_weights
from torch_zoo.models.i3d.weights import WEIGHTS as I3D_WEIGHTS
from torch_zoo.models.vggish.embedding import Medium, extractor_of, windows_of
from torch_zoo.models.vggish.network import VGGish
from torch_zoo.models.vggsound.labels import CLASSES
from torch_zoo.models.vggsound.layers import Model, Pooling
from torch_zoo.models.vggsound.weights import resolve
from torch_zoo.utils import checkpoints
from torch_zoo.utils.extraction import extract
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    from torch_zoo.models.flow.network import FlowNetwork
    from torch_zoo.models.i3d.network import I3D
    from torch_zoo.models.vggsound.network import VGGSound

__all__ = [
    "extract",
    "i3d",
    "pwc",
    "raft",
    "vggish",
    "vggish_examples",
    "vggsound_resnet18",
    "vggsound_resnet34",
    "vggsound_resnet50",
]
dependencies = ["av", "filelock", "numpy", "omegaconf", "soundfile", "torch", "torchvision", "tqdm", "yaml"]


def vggish(checkpoint: str = "pretrained", final_relu: bool = True, seed: int = 0) -> VGGish:
    """VGGish, examples (N, 1, 96, 64) -> embeddings (N, 128).

    `final_relu` as in every release before August 2020. The state dict has the same keys as torchvggish's.
    """
    return VGGish.from_pretrained(checkpoint, final_relu, seed)


def vggish_examples(medium: Medium, sample_rate: int | None = None, **others: Any) -> Tensor:
    """A file or waveform -> log-mel examples (N, 1, 96, 64), one per 0.96 s.

    A waveform is (samples,) or (channels, samples) at `sample_rate` Hz; `others` are options of feature_type=vggish,
    e.g. resampler, hop_seconds, last_window. Raises MediaError for a file that can't be read.
    """
    parts = [windows.data for windows in windows_of(extractor_of(**others), medium, sample_rate)]
    return torch.from_numpy(np.concatenate([np.zeros((0, 1, 96, 64), np.float32), *parts]))


def i3d(streams: Stream = "rgb", checkpoint: str = "pretrained", seed: int = 0) -> I3D:
    """I3D of one stream, clips (N, C, T, 224, 224) in [-1, 1] -> features (N, 1024), logits of Kinetics-400 (N, 400).

    C is 3 for `rgb` and 2 for `flow`, T 10 frames or more. The keys are those of hassony2/kinetics_i3d_pytorch.
    """
    from torch_zoo.models.i3d.network import I3D

    if streams not in CHANNELS:
        raise UsageError(f"streams={streams}: must be one of {', '.join(get_args(Stream))}")
    weights = checkpoints.resolve(checkpoint, I3D_WEIGHTS[streams], seed, variables(streams))
    with torch.device("meta"):
        network = I3D(CHANNELS[streams])
    weights.load(network, with_norm_weights)
    return network.eval()


def raft(checkpoint: str = "pretrained", seed: int = 0) -> FlowNetwork:
    """RAFT, RGB frames (..., T + 1, 3, H, W) in 0 ... 255 -> flow (..., T, 2, H, W) in pixels, x before y.

    H and W are 121 or more. Keys are torchvision's; files with the authors' keys are accepted.
    """
    return _flow("raft", checkpoint, seed)


def pwc(checkpoint: str = "pretrained", seed: int = 0) -> FlowNetwork:
    """PWC-Net, RGB frames (..., T + 1, 3, H, W) in 0 ... 255 -> flow (..., T, 2, H, W) in pixels, x before y."""
    return _flow("pwc", checkpoint, seed)


def _flow(kind: estimator.FlowType, checkpoint: str, seed: int) -> FlowNetwork:
    weights = estimator.resolve(kind, checkpoint, seed)
    assert weights is not None  # only TV-L1 has none
    return estimator.load(kind, weights)


def vggsound_resnet18(
    checkpoint: str = "pretrained", pooling: Pooling = "netvlad", classes: int = CLASSES, seed: int = 0
) -> VGGSound:
    """VGGSound's ResNet-18, spectrograms (N, 1, 257, T) -> pooled features (N, D) and logits (N, classes).

    T is 1004 for ten seconds. D is 8192 with `netvlad` and 512 with `avgpool`; both are published.
    """
    return _vggsound("resnet18", checkpoint, pooling, classes, seed)


def vggsound_resnet34(checkpoint: str, pooling: Pooling = "netvlad", classes: int = CLASSES, seed: int = 0) -> VGGSound:
    """The same as a ResNet-34, of which no weights are published: `checkpoint` is a path, or random."""
    return _vggsound("resnet34", checkpoint, pooling, classes, seed)


def vggsound_resnet50(checkpoint: str, pooling: Pooling = "netvlad", classes: int = CLASSES, seed: int = 0) -> VGGSound:
    """The same as a ResNet-50, D being 32768 or 2048; no weights are published: `checkpoint` is a path, or random."""
    return _vggsound("resnet50", checkpoint, pooling, classes, seed)


def _vggsound(model: Model, checkpoint: str, pooling: Pooling, classes: int, seed: int) -> VGGSound:
    from torch_zoo.models.vggsound.network import VGGSound

    if pooling not in get_args(Pooling):
        raise UsageError(f"pooling={pooling}: must be one of {', '.join(get_args(Pooling))}")
    return VGGSound.with_weights(resolve(model, pooling, checkpoint, seed), model, pooling, classes)
