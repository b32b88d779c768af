"""Frames become stacks: the arithmetic of I3D's windows, and what of them the network sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle, islice

import numpy as np
from torch_zoo.utils.media.images import scale
from torch_zoo.utils.media.video import Frame

SMALLER_EDGE = 256  # px, of a frame after resizing
CROP = 224  # px
LARGEST_FLOW = 20.0  # px; longer vectors are clamped
LEAST_REST = 0.2  # of a stack, that `cycled` completes


class Shot:
    """A frame of a stack. What nobody asks for is not converted; what two stacks share is computed once."""

    __slots__ = ("_frame", "_image", "flow", "seconds")

    def __init__(self, frame: Frame) -> None:
        self.seconds = frame.seconds
        self.flow: np.ndarray | None = None  # to the next frame, levels (2, 224, 224)
        self._frame: Frame | None = frame
        self._image: np.ndarray | None = None

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8, the smaller edge 256."""
        if self._image is None:
            assert self._frame is not None
            self._image = scale(self._frame.image(), SMALLER_EDGE)
            self._frame = None
        return self._image


def stacks(shots: Iterable[Shot], size: int, step: int, cycled: bool = False) -> Iterator[list[Shot]]:
    """Runs of `size` + 1 shots, `step` apart: floor((N - size - 1) / step) + 1 of N shots.

    `cycled` is the rule of video_features before October 2020: fewer shots than a run are repeated to fill one; else,
    if N mod (size + 1) is a fifth of a run or more, so are those from where the next run would begin.
    """
    length = size + 1
    held: list[Shot] = []
    passed_over = total = 0
    for shot in shots:
        total += 1
        if passed_over:
            passed_over -= 1
            continue
        held.append(shot)
        if len(held) == length:
            yield list(held)
            passed_over = max(0, step - length)
            del held[:step]
    if cycled and held and (total < length or total % length >= LEAST_REST * length):
        yield list(islice(cycle(held), length))


def centre(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> its middle (224, 224, 3)."""
    top, left = ((length - CROP) // 2 for length in image.shape[:2])
    return image[top : top + CROP, left : left + CROP]


def levels(flow: np.ndarray) -> np.ndarray:
    """Flow in px -> int16 levels 0 ... 256: -20 is 0, none is 128, +20 is 256 (255.5, rounded half to even)."""
    clamped = np.clip(flow, -LARGEST_FLOW, LARGEST_FLOW)
    scaled: np.ndarray = np.rint(128 + 255 / (2 * LARGEST_FLOW) * clamped)
    return scaled.astype(np.int16)
