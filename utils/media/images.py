"""Resize images, and save those of frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from torch_zoo.utils.media.kept_files import MARK, check_kept, writing
from torch_zoo.utils.types import MediaError

if TYPE_CHECKING:
    from torch_zoo.utils.media.video_stream import Frame

JPEG_QUALITY = 95
MAX_RESIZED_PIXELS = 1 << 22  # 256 x 16,384: frames up to 64 times as long as wide


def resized_size(width: int, height: int, smaller_edge: int) -> tuple[int, int]:
    """Width and height after resizing the smaller one to `smaller_edge`; the other one is truncated to an integer."""
    if width < height:
        return smaller_edge, smaller_edge * height // width
    return smaller_edge * width // height, smaller_edge


def resize(image: np.ndarray, smaller_edge: int) -> np.ndarray:
    """(H, W, 3) uint8 -> resized to `smaller_edge` with Pillow's (antialiasing) bilinear filter.

    It rounds to 8 bits after each direction; in other implementations, some values differ by one. Raises MediaError if
    the result would be too large.
    """
    height, width = image.shape[:2]
    size = resized_size(width, height, smaller_edge)
    if size == (width, height):
        return image
    if size[0] * size[1] > MAX_RESIZED_PIXELS:
        raise MediaError(
            f"its frames are {width} x {height} px; resized to {size[0]} x {size[1]} px they would exceed the limit of "
            f"{MAX_RESIZED_PIXELS:,} px"
        )
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def keep_frames(frames: Iterable[Frame], folder: Path) -> Iterator[Frame]:
    """Pass through the frames, and save their images to `folder` as 000001.jpg etc., replacing those of earlier runs.

    Raises OSError that names the file: FileExistsError, before anything is changed, if the folder holds a file that was
    not kept by an earlier run (except hidden files).
    """
    earlier = sorted(path for path in folder.glob("*") if not path.name.startswith("."))
    for path in earlier:
        check_kept(path)
    for path in earlier:
        path.unlink()
    for number, frame in enumerate(frames, start=1):
        image, path = Image.fromarray(frame.image()), folder / f"{number:06d}.jpg"
        with writing(path) as partial:
            image.save(partial, format="JPEG", quality=JPEG_QUALITY, comment=MARK)
        yield frame
