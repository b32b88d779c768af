"""I3D's pretrained weights, and the variables of DeepMind's TensorFlow checkpoints that they correspond to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from torch_zoo.models.i3d.layers import CLASSES, FEATURES, MIXED
from torch_zoo.utils.downloads import PublishedFile
from torch_zoo.utils.tensorflow_checkpoints import Variable
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Stream = Literal["rgb", "flow"]

CHANNELS: dict[Stream, int] = {"rgb": 3, "flow": 2}
LICENSE = "Apache-2.0 (DeepMind, Kinetics-I3D); MIT (hassony2, their conversion)"

_FILES = "https://github.com/hassony2/kinetics_i3d_pytorch/raw/master/model"
WEIGHTS: dict[Stream, PublishedFile] = {  # no SHA-256 is published for these
    "rgb": PublishedFile(
        f"{_FILES}/model_rgb.pth", "", LICENSE, git_blob="2a7c22e23e6c74f50a0166ce61110bccd2ab48bb", name="i3d_rgb.pth"
    ),
    "flow": PublishedFile(
        f"{_FILES}/model_flow.pth",
        "",
        LICENSE,
        git_blob="5d552d2206f41089c428b0d9d8de3b1fccc85b5a",
        name="i3d_flow.pth",
    ),
}

_ROOTS: dict[Stream, str] = {"rgb": "RGB/inception_i3d", "flow": "Flow/inception_i3d"}


def variables(stream: Stream) -> dict[str, Variable]:
    """State-dict key -> TensorFlow variable. The batch norms' weights have no variable; they are ones."""
    found = {}
    for key, scope, kernel in _units(CHANNELS[stream]):
        found[f"{key}.conv3d.weight"] = Variable(f"{_ROOTS[stream]}/{scope}/conv_3d/w", kernel)
        for ours, theirs in (("bias", "beta"), ("running_mean", "moving_mean"), ("running_var", "moving_variance")):
            found[f"{key}.batch3d.{ours}"] = Variable(f"{_ROOTS[stream]}/{scope}/batch_norm/{theirs}", kernel[-1:])
    head = f"{_ROOTS[stream]}/Logits/Conv3d_0c_1x1/conv_3d"
    found["conv3d_0c_1x1.conv3d.weight"] = Variable(f"{head}/w", (1, 1, 1, FEATURES, CLASSES))
    found["conv3d_0c_1x1.conv3d.bias"] = Variable(f"{head}/b", (CLASSES,))
    return found


def with_norm_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the batch norms' weights (ones) to a state dict from a TensorFlow checkpoint; return others unchanged."""
    import torch

    if any(key.endswith("batch3d.weight") for key in state):
        return dict(state)
    variances = {key: tensor for key, tensor in state.items() if key.endswith("batch3d.running_var")}
    ones = {key.replace("running_var", "weight"): torch.ones_like(tensor) for key, tensor in variances.items()}
    return {**state, **ones}


def check_pattern(checkpoint: str) -> None:
    """Raise UsageError unless the path of a checkpoint names one for each stream."""
    if "{stream}" not in checkpoint:
        raise UsageError(
            f"checkpoint={checkpoint}: each stream has a file of its own; write {{stream}} for rgb and flow, "
            "e.g. checkpoint=model_{stream}.pth, or choose one stream, e.g. streams=rgb"
        )


def _units(channels: int) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """State-dict key, TensorFlow scope and TensorFlow kernel shape of each convolution with a batch norm."""
    yield "conv3d_1a_7x7", "Conv3d_1a_7x7", (7, 7, 7, channels, 64)
    yield "conv3d_2b_1x1", "Conv3d_2b_1x1", (1, 1, 1, 64, 64)
    yield "conv3d_2c_3x3", "Conv3d_2c_3x3", (3, 3, 3, 64, 192)
    for name, (width, (alone, before_1, after_1, before_2, after_2, pooled)) in MIXED.items():
        last = "0a_3x3" if name == "5b" else "0b_3x3"  # as named in DeepMind's checkpoints
        for ours, theirs, kernel in (
            ("0", "0/Conv3d_0a_1x1", (1, 1, 1, width, alone)),
            ("1.0", "1/Conv3d_0a_1x1", (1, 1, 1, width, before_1)),
            ("1.1", "1/Conv3d_0b_3x3", (3, 3, 3, before_1, after_1)),
            ("2.0", "2/Conv3d_0a_1x1", (1, 1, 1, width, before_2)),
            ("2.1", f"2/Conv3d_{last}", (3, 3, 3, before_2, after_2)),
            ("3.1", "3/Conv3d_0b_1x1", (1, 1, 1, width, pooled)),
        ):
            yield f"mixed_{name}.branch_{ours}", f"Mixed_{name}/Branch_{theirs}", kernel
