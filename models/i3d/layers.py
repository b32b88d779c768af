"""Sizes of I3D's Inception blocks, shared by the network and the weights; does not import torch."""

from __future__ import annotations

# Output channels of a block's branches: 1x1x1; 1x1x1 then 3x3x3; 1x1x1 then 3x3x3; pool then 1x1x1.
Widths = tuple[int, int, int, int, int, int]

MIXED: dict[str, tuple[int, Widths]] = {  # name -> input channels, output channels of its branches
    "3b": (192, (64, 96, 128, 16, 32, 32)),
    "3c": (256, (128, 128, 192, 32, 96, 64)),
    "4b": (480, (192, 96, 208, 16, 48, 64)),
    "4c": (512, (160, 112, 224, 24, 64, 64)),
    "4d": (512, (128, 128, 256, 24, 64, 64)),
    "4e": (512, (112, 144, 288, 32, 64, 64)),
    "4f": (528, (256, 160, 320, 32, 128, 128)),
    "5b": (832, (256, 160, 320, 32, 128, 128)),
    "5c": (832, (384, 192, 384, 48, 128, 128)),
}
FEATURES = 1024
CLASSES = 400  # of Kinetics-400
