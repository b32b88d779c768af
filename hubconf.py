"""torch.hub entry points: the network ("vggish") and its preprocessing ("vggish_examples")."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_zoo.models.vggish.embedding import Medium, extractor_of, windows_of
from torch_zoo.models.vggish.network import VGGish

dependencies = ["av", "filelock", "numpy", "omegaconf", "soundfile", "torch", "tqdm", "yaml"]


def vggish(checkpoint: str = "pretrained", final_relu: bool = True, seed: int = 0) -> VGGish:
    """VGGish, examples (N, 1, 96, 64) -> embeddings (N, 128), with weights that are pretrained, from a path or random.

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
