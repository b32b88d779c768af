"""Visualize optical flow: a video of the frames, each beside its color-coded flow to the next frame.

    python -m torch_zoo.models.flow.visualize clip.mp4 flow.mp4                       # TV-L1; needs no weights
    python -m torch_zoo.models.flow.visualize clip.mp4 flow.mp4 --flow-type raft --start 10 --end 20

The color wheel is that of Baker et al. (IJCV 2011), torchvision.utils.flow_to_image, on one scale for the whole video.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from tqdm import tqdm

from torch_zoo.models.flow import estimator
from torch_zoo.models.flow.estimator import LARGEST_FLOW, SMALLER_EDGE, Flow, FlowType
from torch_zoo.utils.devices import DeviceKind, devices
from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.media.images import resize
from torch_zoo.utils.media.video import check_fps, open_video
from torch_zoo.utils.media.video_stream import Frame
from torch_zoo.utils.media.video_writing import write_video
from torch_zoo.utils.terminal.arguments import Parser
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.types import MediaError, Source, UsageError

SMALLEST_EDGE = 128  # px; the minimum for RAFT
PAIRS_AT_A_TIME = 16
WHEEL_PART = 10  # the wheel's radius is the smaller edge divided by this
MARGIN = 4  # px

FrameWithFlow = tuple[
    float, np.ndarray, np.ndarray
]  # time, s; frame (H, W, 3) uint8; its flow to the next (2, H, W), px


@dataclass(frozen=True)
class Palette:
    """The mapping from flow to colors: white for no motion, fully saturated at `longest` px or more."""

    longest: float

    def colors(self, flow: np.ndarray) -> np.ndarray:
        """(2, H, W) px -> (H, W, 3) uint8.

        flow_to_image normalizes by the longest vector in its input; an extra row fixes that length at `longest`.
        """
        import torch
        from torchvision.utils import flow_to_image

        reach = self.longest * (1 - 1e-6)  # rounding must not make any vector longer than the one in the extra row
        shortened = flow * (reach / np.maximum(np.hypot(*flow), reach))
        reference = np.zeros_like(flow[:, :1])
        reference[0] = self.longest
        rows = np.concatenate([shortened, reference], axis=1, dtype=np.float32)
        image: np.ndarray = flow_to_image(torch.from_numpy(rows))[:, :-1].permute(1, 2, 0).numpy()
        return image

    def wheel(self, radius: int) -> tuple[np.ndarray, np.ndarray]:
        """The legend: a color wheel (2r + 1, 2r + 1, 3) and the mask of the pixels inside it."""
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        vectors = np.stack([x, y]) * (self.longest / radius)
        return self.colors(vectors), np.hypot(x, y) <= radius


@command(interrupted="no video was written")
def main(arguments: Sequence[str]) -> int:
    """0 if the video was written; 1 if the clip can't be read or the video not written; 2 if the options are wrong."""
    given = _parse(arguments)
    source = Source(given.clip, Path(given.clip).stem, given.start, given.end)
    palette = Palette(given.longest)
    try:
        number = visualize(source, given.video, _estimator(given), given.extraction_fps, given.smaller_edge, palette)
    except MediaError as error:
        raise MediaError(f"{given.clip}: {error}") from error
    print(f"{given.video}: {number} frames; colors saturate at {given.longest:g} px per frame", file=sys.stderr)
    return 0


def visualize(source: Source, path: Path, flow: Flow, fps: float | None, smaller_edge: int, palette: Palette) -> int:
    """Write an MP4 atomically; returns the number of its frames. Raises MediaError, OSError."""
    with open_video(source, fps, threads=0) as video, atomic_write(path) as partial:
        frames = tqdm(with_flow(video.frames, flow, smaller_edge), unit=" frames", disable=None)
        images = ((seconds, beside(image, vectors, palette)) for seconds, image, vectors in frames)
        number = write_video(images, video.fps, partial)
        if not number:
            raise MediaError("fewer than two frames, so there is no flow")
    return number


def with_flow(frames: Iterable[Frame], flow: Flow, smaller_edge: int) -> Iterator[FrameWithFlow]:
    """All frames but the last, which has no next frame; only a few are held in memory."""
    held: list[tuple[float, np.ndarray]] = []
    for frame in frames:
        held.append((frame.pts_seconds, resize(frame.image(), smaller_edge)))
        if len(held) > PAIRS_AT_A_TIME:
            yield from _pairs(held, flow)
            del held[:-1]
    if len(held) > 1:
        yield from _pairs(held, flow)


def _pairs(held: Sequence[tuple[float, np.ndarray]], flow: Flow) -> Iterator[FrameWithFlow]:
    vectors = flow(np.stack([image for _, image in held]))
    for (seconds, image), one in zip(held[:-1], vectors, strict=True):
        yield seconds, image, one


def beside(image: np.ndarray, flow: np.ndarray, palette: Palette) -> np.ndarray:
    """The frame on the left, its flow on the right, the wheel in the lower right corner: (H, 2 W, 3) uint8."""
    both = np.concatenate([image, palette.colors(flow)], axis=1)
    wheel, inside = palette.wheel(min(flow.shape[1:]) // WHEEL_PART)
    corner = both[-len(wheel) - MARGIN : -MARGIN, -len(wheel) - MARGIN : -MARGIN]
    corner[inside] = wheel[inside]
    return both


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Raises UsageError."""
    parser = Parser(
        prog="python -m torch_zoo.models.flow.visualize",
        description=(
            "Visualize the optical flow of a clip: frames on the left, the flow to the next frame on the right. Hue is "
            "direction (the wheel in the corner is the legend: red is right, yellow is down). Saturation is magnitude, "
            "on one scale for the whole video."
        ),
        allow_abbrev=False,
    )
    parser.add_argument("clip", help="any video that FFmpeg can read")
    parser.add_argument("video", type=Path, help="the MP4 to write; an existing file is replaced")
    parser.add_argument(
        "--flow-type", choices=get_args(FlowType), default="tvl1", help="raft and pwc need weights (default: tvl1)"
    )
    parser.add_argument(
        "--flow-checkpoint",
        "--checkpoint",
        default="pretrained",
        metavar="FILE",
        help="weights for raft or pwc: pretrained (default; downloaded once), a path, or random",
    )
    parser.add_argument(
        "--extraction-fps",
        "--fps",
        type=float,
        metavar="FPS",
        help="resample the clip to this frame rate first",
    )
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="start time in seconds (default: 0)")
    parser.add_argument("--end", type=float, metavar="S", help="end time in seconds (default: end of the clip)")
    parser.add_argument(
        "--smaller-edge",
        type=int,
        default=SMALLER_EDGE,
        metavar="PX",
        help=f"resize frames to this smaller edge first, as for I3D (default: {SMALLER_EDGE})",
    )
    parser.add_argument(
        "--longest",
        type=float,
        default=LARGEST_FLOW,
        metavar="PX",
        help=f"magnitude at full saturation (default: {LARGEST_FLOW:g}, where I3D clamps)",
    )
    parser.add_argument("--device", choices=get_args(DeviceKind), default="auto", help="for raft and pwc")
    given = parser.parse(arguments)
    _check(given)
    return given


def _check(given: argparse.Namespace) -> None:
    if given.smaller_edge < SMALLEST_EDGE:
        raise UsageError(f"--smaller-edge {given.smaller_edge}: must be {SMALLEST_EDGE} or more")
    if not given.longest > 0:
        raise UsageError(f"--longest {given.longest:g}: must be above 0")
    check_fps("--extraction-fps", given.extraction_fps)
    if not 0 <= given.start < (math.inf if given.end is None else given.end):
        raise UsageError("--start and --end: the start must be 0 or more, and the end after the start")
    if given.video.is_dir():
        raise UsageError(f"{given.video}: a folder; name the video in it, e.g. {given.video / 'flow.mp4'}")
    if given.video.exists() and Path(given.clip).exists() and given.video.samefile(given.clip):
        raise UsageError(f"{given.video}: the video would replace the clip; give it another name")


def _estimator(given: argparse.Namespace) -> Flow:
    [device, *_] = devices(given.device, None)
    weights = estimator.resolve(given.flow_type, given.flow_checkpoint, seed=0)
    return estimator.flow_function(given.flow_type, weights, device)


if __name__ == "__main__":
    sys.exit(main())
