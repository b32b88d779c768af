"""From frames to stacks: I3D's window arithmetic, and the center crop and quantization of its inputs.

If a network computes the flow on the device, the decoder splits stacks into clips of frames, and the device worker
assembles stacks from the flow; each pair of frames is processed once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice, pairwise
from typing import TypeVar

import numpy as np

from torch_zoo.models.flow.estimator import LARGEST_FLOW, SMALLER_EDGE
from torch_zoo.utils.media.images import resize
from torch_zoo.utils.media.video_stream import Frame
from torch_zoo.utils.types import Windows
from torch_zoo.utils.windows import num_windows

CROP = 224  # px
LEAST_REST = 0.2  # of a stack; the shortest rest that `cycled` completes
CLIP_PAIRS = 8  # pairs of frames per clip; the first frame of a clip is the last frame of the previous one
CYCLED = "cycled_pairs"  # metadata key: the number of pairs that the last stack repeats

F = TypeVar("F")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class StackFrame:
    """A converted frame of a stack."""

    seconds: float
    image: np.ndarray  # (H, W, 3) uint8, the smaller edge 256

    @classmethod
    def of(cls, frame: Frame) -> StackFrame:
        return cls(frame.pts_seconds, frame.image())


def sliding_stacks(
    frames: Iterable[F], size: int, step: int, convert: Callable[[F], T], cycled: bool = False
) -> Iterator[list[T]]:
    """Stacks of `size` + 1 converted frames, `step` apart: floor((N - size - 1) / step) + 1 stacks for N frames.

    Frames that are not part of any stack are not converted. `cycled` is the rule of video_features before October 2020:
    if there are fewer frames than a stack, they are repeated to fill one; otherwise, if N mod (size + 1) is at least a
    fifth of a stack, the frames from the start of the next stack on are repeated.
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


def num_stacks(frames: int, size: int, step: int, cycled: bool = False) -> int:
    """The number of stacks that `sliding_stacks` makes of so many frames."""
    length = size + 1
    stacks = num_windows(frames, length, step)
    left = frames - stacks * step > 0
    return stacks + (cycled and left and (frames < length or frames % length >= LEAST_REST * length))


def clips(stacks: Iterable[Sequence[StackFrame]]) -> Iterator[Windows]:
    """Stacks -> clips (1, T + 1, H, W, 3) with their frames' times; each pair of frames is in exactly one clip."""
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
    """Network outputs for pairs of frames, in the order of `clips` -> stacks (1, channels, size, 224, 224)."""

    size: int
    step: int
    _pairs: deque[np.ndarray] = field(default_factory=deque)  # (channels, 224, 224) each
    _times: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, outputs: Mapping[str, np.ndarray], times: np.ndarray) -> Iterator[Windows]:
        """Add `pairs` (n, T, channels, 224, 224) and the times (n, T + 1) of the clips' frames; yield full stacks."""
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
    """(H, W, 3) uint8 -> resized to a smaller edge of 256 px."""
    return resize(image, SMALLER_EDGE)


def center_crop(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> its center (224, 224, 3)."""
    top, left = ((length - CROP) // 2 for length in image.shape[:2])
    return image[top : top + CROP, left : left + CROP]


def quantize_flow(flow: np.ndarray) -> np.ndarray:
    """Flow in px -> int16 0 ... 256: -20 px is 0, no motion is 128, +20 px is 256 (255.5, rounded half to even)."""
    clamped = np.clip(flow, -LARGEST_FLOW, LARGEST_FLOW)
    scaled: np.ndarray = np.rint(128 + 255 / (2 * LARGEST_FLOW) * clamped)
    return scaled.astype(np.int16)
