"""Resize images, and save them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from torch_zoo.utils.files import atomic_write

JPEG_QUALITY = 95


def resized_size(width: int, height: int, smaller_edge: int) -> tuple[int, int]:
    """Width and height when the smaller of them becomes `smaller_edge`; the other one is cut to whole pixels."""
    if width < height:
        return smaller_edge, smaller_edge * height // width
    return smaller_edge * width // height, smaller_edge


def resize(image: np.ndarray, smaller_edge: int) -> np.ndarray:
    """(H, W, 3) uint8 -> the same with the smaller edge so long: Pillow's bilinear filter, as wide as the reduction.

    It rounds to 8 bits after each direction; other implementations differ by a level here and there.
    """
    height, width = image.shape[:2]
    size = resized_size(width, height, smaller_edge)
    if size == (width, height):
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def save_jpeg(image: np.ndarray, path: Path) -> None:
    """(H, W, 3) uint8 -> a JPEG file, whole or not at all."""
    with atomic_write(path) as partial:
        Image.fromarray(image).save(partial, format="JPEG", quality=JPEG_QUALITY)
