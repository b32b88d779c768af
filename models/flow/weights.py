"""Pretrained weights of the flow networks: URLs, digests and licenses; conversion of the RAFT authors' keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch_zoo.utils.downloads import PublishedFile

if TYPE_CHECKING:
    from torch import Tensor

# Names as in torchvision. The digits in a file name are the first of its SHA-256; the rest is not published.
RAFT_SINTEL = PublishedFile(  # C_T_SKHT_V1, the authors' raft-sintel.pth; used for the published I3D features
    url="https://download.pytorch.org/models/raft_large_C_T_SKHT_V1-0b8c9e55.pth",
    sha256="0b8c9e55",
    license="BSD-3-Clause (Princeton Vision & Learning Lab)",
)
RAFT_TORCHVISION = PublishedFile(  # C_T_SKHT_V2, retrained by torchvision
    url="https://download.pytorch.org/models/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
    sha256="ff5fadd5",
    license="BSD-3-Clause (torchvision)",
)
PWC = PublishedFile(
    url="https://content.sniklaus.com/github/pytorch-pwc/network-default.pytorch",
    sha256="",  # none is published; only keys and shapes are checked
    license="CC BY-NC-SA 4.0 (NVIDIA, PWC-Net); not for commercial use",
)

_RENAMED = (  # (pattern in the RAFT authors' keys, torchvision's replacement), applied in order
    (r"^module\.", ""),
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"^(\w+_encoder\.layer\d\.\d)\.conv(\d)", r"\1.convnormrelu\2.0"),
    (r"^(\w+_encoder\.layer\d\.\d)\.norm(\d)", r"\1.convnormrelu\2.1"),
    (r"^(\w+_encoder)\.conv1", r"\1.convnormrelu.0"),
    (r"^(\w+_encoder)\.norm1", r"\1.convnormrelu.1"),
    (r"^(\w+_encoder)\.conv2", r"\1.conv"),
    (r"^update_block\.encoder\.convc(\d)", r"update_block.motion_encoder.convcorr\1.0"),
    (r"^update_block\.encoder\.convf(\d)", r"update_block.motion_encoder.convflow\1.0"),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])(\d)", r"update_block.recurrent_block.convgru\2.conv\1"),
    (r"^update_block\.mask\.0", "mask_predictor.convrelu.0"),
    (r"^update_block\.mask\.2", "mask_predictor.conv"),
)


def with_torchvision_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """RAFT's state dict with the authors' or torchvision's keys -> with torchvision's keys.

    The authors' state dict has the shortcut norms twice; one copy is dropped.
    """
    renamed = {}
    for key, tensor in state.items():
        if ".norm3." not in key:
            for theirs, ours in _RENAMED:
                key = re.sub(theirs, ours, key)
            renamed[key] = tensor
    return renamed
