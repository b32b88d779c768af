"""Visualize optical flow: a video of the frames, each beside its color-coded flow to the next frame.

    python -m torch_zoo.models.flow.visualize clip.mp4 flow.mp4                       # TV-L1; needs no weights
    python -m torch_zoo.models.flow.visualize clip.mp4 flow.mp4 --flow-type raft --start 10 --end 20

One scale of colors holds for the whole video: full saturation is the 99th percentile of the lengths of its vectors,
unless --longest states it. The flow is then computed first, and waits in a temporary file beside the video.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from tqdm import tqdm

from torch_zoo.models.flow import estimator
from torch_zoo.models.flow.estimator import LARGEST_FLOW, SMALLER_EDGE, Flow, FlowType
from torch_zoo.models.flow.palette import Palette, draw_legend
from torch_zoo.models.flow.recording import Recording
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
PERCENTILE = 99.0  # of the lengths of all vectors; longer ones are few, and often wrong
LEAST_LONGEST = 1.0  # px; below that, a still clip would show its noise in full color

FrameWithFlow = tuple[
    float, np.ndarray, np.ndarray
]  # time, s; frame (H, W, 3) uint8; its flow to the next (2, H, W), px


@command(interrupted="no video was written")
def main(arguments: Sequence[str]) -> int:
    """0 if the video was written; 1 if the clip can't be read or the video not written; 2 if the options are wrong."""
    given = _parse(arguments)
    source = Source(given.clip, Path(given.clip).stem, given.start, given.end)
    try:
        number, longest = visualize(
            *(source, given.video, _estimator(given)),
            fps=given.extraction_fps,
            smaller_edge=given.smaller_edge,
            longest=given.longest,
        )
    except MediaError as error:
        raise MediaError(f"{given.clip}: {error}") from error
    print(f"{given.video}: {number} frames; colors saturate at {longest:.3g} px per frame", file=sys.stderr)
    return 0


def visualize(
    source: Source, path: Path, flow: Flow, *, fps: float | None, smaller_edge: int, longest: float | None
) -> tuple[int, float]:
    """Write an MP4 atomically; returns the number of its frames, and the length at full saturation, px.

    A `longest` of None is found in a first pass. Raises MediaError, OSError.
    """
    with atomic_write(path) as partial, tempfile.TemporaryFile(dir=path.parent) as file:
        number = None
        if longest is None:
            recording = Recording(file)
            with open_video(source, fps, threads=0) as video:
                pairs = with_flow(video.frames, recording.record(flow), smaller_edge)
                number = sum(1 for _ in tqdm(pairs, "flow", unit=" frames", disable=None))
            longest = max(recording.percentile(PERCENTILE), LEAST_LONGEST)
            recording.rewind()
            flow = recording.replay
        palette = Palette(longest)
        with open_video(source, fps, threads=0) as video:
            pairs = with_flow(video.frames, flow, smaller_edge)
            frames = tqdm(pairs, "video", total=number, unit=" frames", disable=None)
            images = ((seconds, beside(image, vectors, palette)) for seconds, image, vectors in frames)
            number = write_video(images, video.fps, partial)
        if not number:
            raise MediaError("fewer than two frames, so there is no flow")
    return number, longest


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
    """The frame on the left, its flow with the legend on the right: (H, 2 W, 3) uint8."""
    colors = palette.colors(flow)
    draw_legend(colors, palette)
    return np.concatenate([image, colors], axis=1)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Raises UsageError."""
    parser = Parser(
        prog="python -m torch_zoo.models.flow.visualize",
        description=(
            "Visualize the optical flow of a clip: frames on the left, the flow to the next frame on the right. Hue is "
            "direction (the wheel in the corner is the legend: red is right, yellow is down). Saturation is magnitude, "
            "on one scale for the whole video; the number beside the wheel is the length at its rim."
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
        metavar="PX",
        help=(
            f"magnitude at full saturation, e.g. {LARGEST_FLOW:g}, where I3D clamps (default: the {PERCENTILE:g}th "
            "percentile of the clip, from a first pass)"
        ),
    )
    parser.add_argument("--device", choices=get_args(DeviceKind), default="auto", help="for raft and pwc")
    given = parser.parse(arguments)
    _check(given)
    return given


def _check(given: argparse.Namespace) -> None:
    if given.smaller_edge < SMALLEST_EDGE:
        raise UsageError(f"--smaller-edge {given.smaller_edge}: must be {SMALLEST_EDGE} or more")
    if given.longest is not None and not given.longest > 0:
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
