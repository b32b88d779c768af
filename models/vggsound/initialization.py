"""Random weights to start training from, as published (hche11/VGGSound)."""

from __future__ import annotations

import torch
from torch import nn

from torch_zoo.models.vggsound.network import NetVLAD, VGGSound

SHARPNESS = 100.0  # of NetVLAD's assignment to clusters
NORM_DEVIATION = 0.02  # of the scales of batch norms around 1


def initialize(network: VGGSound) -> VGGSound:
    """By torch's generator: normal by He's rule for fan-out, scales of batch norms around 1; the rest as torch does.

    NetVLAD assigns by 200 c x - 100 |c| at the centroid c, as published (not |c|², which would be the distance).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, NORM_DEVIATION)
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, NetVLAD):
                weight, bias = module.conv.parameters()
                weight.copy_(2 * SHARPNESS * module.centroids[:, :, None, None])
                bias.copy_(-SHARPNESS * module.centroids.norm(dim=1))
    return network
