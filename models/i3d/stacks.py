"""Frames become stacks: the arithmetic of I3D's windows, and what the network sees of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from typing import TypeVar

import numpy as np

from torch_zoo.utils.media.images import resize
from torch_zoo.utils.media.video_stream import Frame

SMALLER_EDGE = 256  # px, of a frame after resizing
CROP = 224  # px
LARGEST_FLOW = 20.0  # px; longer vectors are clamped
LEAST_REST = 0.2  # of a stack, that `cycled` completes


F = TypeVar("F")
T = TypeVar("T")


def stacks(frames: Iterable[Frame], size: int, step: int, cycled: bool = False) -> Iterator[list[StackFrame]]:
    """Stacks of the frames; those that are in none are never converted."""
    return sliding_stacks(frames, size, step, StackFrame, cycled)


class StackFrame:
    """A frame of a stack, converted, and once it is computed the flow to the next frame."""

    __slots__ = ("flow", "image", "seconds")

    def __init__(self, frame: Frame) -> None:
        self.seconds = frame.pts_seconds
        self.image = frame.image()
        self.flow: np.ndarray | None = None  # quantized (2, 224, 224)


def sliding_stacks(
    frames: Iterable[F], size: int, step: int, convert: Callable[[F], T], cycled: bool = False
) -> Iterator[list[T]]:
    """Stacks of `size` + 1 converted frames, `step` apart: floor((N - size - 1) / step) + 1 of N frames.

    `cycled` is the rule of video_features before October 2020: fewer frames than a stack are repeated to fill one;
    else, if N mod (size + 1) is a fifth of a stack or more, so are those from where the next stack would begin.
    """
    length = size + 1
    held: list[T] = []
    skip = total = 0
    for frame in frames:
        total += 1
        if skip:
            skip -= 1
            continue
        held.append(convert(frame))
        if len(held) == length:
            yield list(held)
            skip = max(0, step - length)
            del held[:step]
    if cycled and held and (total < length or total % length >= LEAST_REST * length):
        yield list(islice(cycle(held), length))


def resize_frame(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> the same with the smaller edge 256."""
    return resize(image, SMALLER_EDGE)


def center_crop(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> its center (224, 224, 3)."""
    top, left = ((length - CROP) // 2 for length in image.shape[:2])
    return image[top : top + CROP, left : left + CROP]


def quantize_flow(flow: np.ndarray) -> np.ndarray:
    """Flow in px -> int16 0 ... 256: -20 px is 0, none is 128, +20 px is 256 (255.5, rounded half to even)."""
    clamped = np.clip(flow, -LARGEST_FLOW, LARGEST_FLOW)
    scaled: np.ndarray = np.rint(128 + 255 / (2 * LARGEST_FLOW) * clamped)
    return scaled.astype(np.int16)
