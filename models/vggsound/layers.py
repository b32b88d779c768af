"""Sizes of VGGSound's networks, shared by network and extractor; does not import torch."""

from __future__ import annotations

from typing import Literal

Model = Literal["resnet18", "resnet34", "resnet50"]
Pooling = Literal["avgpool", "netvlad"]

CHANNELS: dict[Model, int] = {"resnet18": 512, "resnet34": 512, "resnet50": 2048}  # of the last maps
CLUSTERS = 16  # of NetVLAD


def width(model: Model, pooling: Pooling) -> int:
    """The number of pooled features."""
    return CHANNELS[model] * (CLUSTERS if pooling == "netvlad" else 1)
