"""Frames become stacks: the arithmetic of I3D's windows, and what the network sees of them.

On their way through a flow network on the device, stacks are cut into clips of frames (in the decoder) and put
together again from the flow (in the device worker); each pair of frames goes through once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice, pairwise
from typing import TypeVar

import numpy as np

from torch_zoo.utils.media.images import resize
from torch_zoo.utils.media.video_stream import Frame
from torch_zoo.utils.types import Windows

SMALLER_EDGE = 256  # px, of a frame after resizing
CROP = 224  # px
LARGEST_FLOW = 20.0  # px; longer vectors are clamped
LEAST_REST = 0.2  # of a stack, that `cycled` completes
CLIP_PAIRS = 8  # of frames in a clip; the first frame of a clip is the last one of the clip before
CYCLED = "cycled_pairs"  # in the metadata: pairs that the last stack repeats

F = TypeVar("F")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class StackFrame:
    """A frame of a stack, converted."""

    seconds: float
    image: np.ndarray  # (H, W, 3) uint8, the smaller edge 256

    @classmethod
    def of(cls, frame: Frame) -> StackFrame:
        return cls(frame.pts_seconds, frame.image())


def sliding_stacks(
    frames: Iterable[F], size: int, step: int, convert: Callable[[F], T], cycled: bool = False
) -> Iterator[list[T]]:
    """Stacks of `size` + 1 converted frames, `step` apart: floor((N - size - 1) / step) + 1 of N frames.

    Frames that are in no stack are not converted. `cycled` is the rule of video_features before October 2020: fewer
    frames than a stack are repeated to fill one; else, if N mod (size + 1) is a fifth of a stack or more, so are those
    from where the next stack would begin.
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


def clips(stacks: Iterable[Sequence[StackFrame]]) -> Iterator[Windows]:
    """Stacks -> clips (1, T + 1, H, W, 3), with the times of their frames; each pair of frames is in one clip."""
    before: Sequence[StackFrame] = ()
    for stack in stacks:
        known = {(id(first), id(second)) for first, second in pairwise(before)}
        pairs = [(id(first), id(second)) for first, second in pairwise(stack)]
        distinct = list(dict.fromkeys(pairs))
        new = [number for number, pair in enumerate(distinct) if pair not in known]
        metadata = {CYCLED: np.array(len(distinct))} if len(distinct) < len(pairs) else {}
        for first in range(new[0], len(distinct), CLIP_PAIRS):
            frames = stack[first : min(first + CLIP_PAIRS, len(distinct)) + 1]
            data = np.stack([frame.image for frame in frames])[None]
            yield Windows(data, np.array([[frame.seconds for frame in frames]]), metadata)
        before = stack


@dataclass(eq=False, slots=True)
class StackAssembler:
    """Pairs of frames, in the order of `clips` -> stacks (1, channels, size, 224, 224)."""

    size: int
    step: int
    _pairs: deque[np.ndarray] = field(default_factory=deque)  # (channels, 224, 224) each
    _times: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, outputs: Mapping[str, np.ndarray], times: np.ndarray) -> Iterator[Windows]:
        """`pairs` (n, T, channels, 224, 224) and the times (n, T + 1) of the frames of these clips."""
        for clip, seconds in zip(outputs["pairs"], times, strict=True):
            self._pairs.extend(clip)
            self._times.extend(pairwise(seconds.tolist()))
            while len(self._pairs) >= self.size:
                yield self._stack(range(self.size))
                for _ in range(min(self.step, self.size)):
                    self._pairs.popleft()
                    self._times.popleft()

    def end(self, metadata: Mapping[str, np.ndarray]) -> Iterator[Windows]:
        number = int(metadata.get(CYCLED, 0))
        if number:
            yield self._stack([pair % number for pair in range(self.size)])

    def _stack(self, chosen: Sequence[int]) -> Windows:
        data = np.stack([self._pairs[pair] for pair in chosen], axis=1)
        return Windows(data[None], np.array([[self._times[0][0], self._times[chosen[-1]][1]]]))


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
