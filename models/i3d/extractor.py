"""I3D: the frames of a source and the optical flow between them -> 1024 features per stack and stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np

from torch_zoo.models.flow import estimator
from torch_zoo.models.flow.estimator import FlowType
from torch_zoo.models.i3d.layers import CLASSES, FEATURES
from torch_zoo.models.i3d.stacks import (
    CROP,
    StackAssembler,
    StackFrame,
    center_crop,
    clips,
    num_stacks,
    quantize_flow,
    resize_frame,
    sliding_stacks,
)
from torch_zoo.models.i3d.weights import CHANNELS, WEIGHTS, Stream, check_pattern, variables, with_norm_weights
from torch_zoo.utils import checkpoints
from torch_zoo.utils.devices import DeviceModel, Precision, batch_that_fits
from torch_zoo.utils.media.headers import Probe
from torch_zoo.utils.media.images import keep_frames
from torch_zoo.utils.media.kept_files import check_tmp_path
from torch_zoo.utils.media.video import FpsMethod, check_fps, open_video
from torch_zoo.utils.media.video_stream import ColorMatrix, Frame
from torch_zoo.utils.predictions import kinetics_400
from torch_zoo.utils.types import Features, Predictions, Source, Stage, Timing, UsageError, Windows

SHORTEST_STACK = 10  # frames; with fewer, the input of the network's last pool is too short
DECODE_THREADS = 2  # per source
BYTES_PER_FRAME = 16 << 20  # of device memory per frame and stream: five times the first layer's feature maps


@dataclass(frozen=True, kw_only=True)
class I3DExtractor:
    """Options as in configs/feature_type/i3d.yaml. Raises UsageError if one is out of range."""

    checkpoint: str = "pretrained"
    seed: int = 0
    precision: Precision = "fp32"
    streams: Stream | None = None
    flow_type: FlowType = "raft"
    flow_checkpoint: str = "pretrained"
    stack_size: int = 64
    step_size: int = 64
    extraction_fps: float | None = None
    fps_method: FpsMethod = "select"
    last_window: Literal["drop", "cycle"] = "drop"
    color_matrix: ColorMatrix = "bt601"
    show_pred: bool = False
    tmp_path: str = "./tmp"
    keep_tmp_files: bool = False

    def __post_init__(self) -> None:
        check_tmp_path(self.tmp_path)
        if self.stack_size < SHORTEST_STACK:
            raise UsageError(f"stack_size={self.stack_size}: I3D needs {SHORTEST_STACK} frames or more")
        if self.step_size < 1:
            raise UsageError(f"step_size={self.step_size}: must be 1 or more")
        check_fps("extraction_fps", self.extraction_fps)
        if self.fps_method == "reencode" and self.extraction_fps is None:
            raise UsageError("fps_method=reencode does nothing without extraction_fps; give both")
        if self.flow_checkpoint != "pretrained" and not self._flow_network:
            without = "flow_type=tvl1 has no weights" if "flow" in self._streams else "streams=rgb has no flow"
            raise UsageError(f"flow_checkpoint={self.flow_checkpoint}: {without}; leave it out")

    @property
    def _streams(self) -> tuple[Stream, ...]:
        return (self.streams,) if self.streams else ("rgb", "flow")

    @property
    def _flow_network(self) -> bool:
        """Whether flow is computed by a network on the device."""
        return "flow" in self._streams and self.flow_type != "tvl1"

    @property
    def arrays(self) -> Mapping[str, np.dtype]:
        features: dict[str, np.dtype] = {stream: np.dtype((np.float32, FEATURES)) for stream in self._streams}
        return {**features, "fps": np.dtype(np.float64), "timestamps_ms": np.dtype(np.float64)}

    @property
    def settings(self) -> Mapping[str, object]:
        flow = self._flow_weights
        return {
            "checkpoint": {stream: weights.identity for stream, weights in self._weights.items()},
            "precision": self.precision,
            "streams": self.streams,
            "flow_type": self.flow_type if "flow" in self._streams else None,
            "flow_checkpoint": flow.identity if flow else None,
            "stack_size": self.stack_size,
            "step_size": self.step_size,
            "extraction_fps": self.extraction_fps,
            "fps_method": self.fps_method if self.extraction_fps else None,
            "last_window": self.last_window,
            "color_matrix": self.color_matrix,
        }

    @property
    def timing(self) -> Timing:
        return Timing(self.stack_size, self.step_size, self.extraction_fps)

    @property
    def empty_message(self) -> str:
        if self.last_window == "cycle":
            return "the video has no frames"
        return f"fewer than {self.stack_size + 1} frames; use a smaller stack_size or last_window=cycle"

    @cached_property
    def _weights(self) -> Mapping[Stream, checkpoints.Checkpoint]:
        """Resolved (and downloaded) on first use; pickled to the workers with the extractor."""
        if len(self._streams) > 1 and self.checkpoint not in ("pretrained", "demo", "random"):
            check_pattern(self.checkpoint)
        return {
            stream: checkpoints.resolve(
                self.checkpoint.replace("{stream}", stream), WEIGHTS[stream], self.seed, variables(stream)
            )
            for stream in self._streams
        }

    @cached_property
    def _flow_weights(self) -> checkpoints.Checkpoint | None:
        if not self._flow_network:
            return None
        return estimator.resolve(self.flow_type, self.flow_checkpoint, self.seed)

    def load(self, device: str, threads: int) -> list[Stage]:
        import torch

        from torch_zoo.models.i3d.network import I3D
        from torch_zoo.models.i3d.streams import TwoStreams

        torch.set_num_threads(threads)
        networks = {}
        for stream, weights in self._weights.items():
            with torch.device("meta"):
                network = I3D(CHANNELS[stream])
            weights.load(network, with_norm_weights)
            networks[stream] = network.eval().fold()
        model = DeviceModel(TwoStreams(networks), device, self.precision)

        def forward(batch: np.ndarray) -> Callable[[], Mapping[str, np.ndarray]]:
            outputs = model(batch)
            return lambda: _by_name(outputs(), self._streams)

        bytes_per_stack = BYTES_PER_FRAME * self.stack_size * len(self._streams)
        batch_size = 1 if device == "cpu" else batch_that_fits(device, bytes_per_stack, most=32)
        if not self._flow_network:
            return [Stage(forward, batch_size, None, model.allocate, model.busy_seconds)]
        assembler = partial(StackAssembler, self.stack_size, self.step_size)
        return [self._flow_stage(device), Stage(forward, batch_size, assembler, model.allocate, model.busy_seconds)]

    def _flow_stage(self, device: str) -> Stage:
        from torch_zoo.models.i3d.streams import QuantizedFlow

        assert self._flow_weights is not None
        network = estimator.load(self.flow_type, self._flow_weights)
        if device == "cpu":
            estimator.announce_cost(self.flow_type, network, self.extraction_fps)
        model = DeviceModel(QuantizedFlow(network, self.flow_type, "rgb" in self._streams), device, self.precision)

        def forward(batch: np.ndarray) -> Callable[[], Mapping[str, np.ndarray]]:
            outputs = model(batch)
            return lambda: {"pairs": outputs()}

        batch_size = estimator.CLIPS_PER_BATCH[device.split(":")[0]]
        return Stage(forward, batch_size, None, model.allocate, model.busy_seconds)

    def windows(self, source: Source) -> Iterator[Windows]:
        """Stacks (1, channels, S, 224, 224): uint8 for RGB alone, otherwise int16 with the quantized flow last.

        If a network computes the flow, clips of frames instead (`stacks.clips`).
        """
        with self._frames(source) as (fps, frames):
            yield Windows(np.zeros((0, 0)), np.zeros((0, 2)), {"fps": np.array(fps)})
            stacks = sliding_stacks(
                frames, self.stack_size, self.step_size, StackFrame.of, cycled=self.last_window == "cycle"
            )
            yield from clips(stacks) if self._flow_network else self._stacked(stacks)

    def probe(self, source: Source) -> Probe:
        with open_video(source, self.extraction_fps) as video:
            return video.probe(
                source, lambda frames: num_stacks(frames, self.stack_size, self.step_size, self.last_window == "cycle")
            )

    def _stacked(self, stacks: Iterable[Sequence[StackFrame]]) -> Iterator[Windows]:
        flow = estimator.PairwiseFlow() if "flow" in self._streams else None
        for stack in stacks:
            parts = []
            if "rgb" in self._streams:
                parts.append(np.stack([center_crop(frame.image) for frame in stack[:-1]]).transpose(3, 0, 1, 2))
            if flow:
                top, left = ((length - CROP) // 2 for length in stack[0].image.shape[:2])
                vectors = flow([frame.image for frame in stack])
                crops = [quantize_flow(each[:, top : top + CROP, left : left + CROP]) for each in vectors]
                parts.append(np.stack(crops, axis=1))
            data = np.concatenate(parts, dtype=np.int16 if flow else np.uint8)
            yield Windows(data[None], np.array([[stack[0].seconds, stack[-1].seconds]]))

    @contextmanager
    def _frames(self, source: Source) -> Iterator[tuple[float, Iterable[Frame]]]:
        """Frame rate and resized frames."""
        kept = Path(self.tmp_path) / f"{source.name}_new_fps.mp4" if self.keep_tmp_files else None
        with open_video(
            source,
            self.extraction_fps,
            self.fps_method,
            threads=DECODE_THREADS,
            color_matrix=self.color_matrix,
            transform=resize_frame,
            keep=kept,
        ) as video:
            frames: Iterable[Frame] = video.frames
            if self.keep_tmp_files:
                frames = keep_frames(frames, Path(self.tmp_path) / f"{source.name}_frames")
            yield video.fps, frames

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        """Features (T, 1024) of each stream, the frame rate, and the timestamp of each stack's last frame (T,) ms."""
        found: dict[str, np.ndarray] = {
            stream: arrays.get(stream, np.zeros((0, FEATURES), np.float32)) for stream in self._streams
        }
        found |= {"fps": arrays["fps"], "timestamps_ms": 1000 * times[:, 1]}
        predictions = None
        if self.show_pred and len(times):
            logits: dict[str, np.ndarray] = {stream: arrays[f"{stream}_logits"] for stream in self._streams}
            if len(logits) > 1:
                logits[" + ".join(logits)] = np.sum(list(logits.values()), axis=0)
            predictions = Predictions(logits, kinetics_400())
        return Features(source, found, times, predictions)


def _by_name(outputs: np.ndarray, streams: Sequence[Stream]) -> dict[str, np.ndarray]:
    """Output columns of TwoStreams -> features and logits of each stream."""
    edges = np.cumsum([FEATURES, CLASSES] * len(streams))[:-1]
    names = [name for stream in streams for name in (stream, f"{stream}_logits")]
    return dict(zip(names, np.split(outputs, edges, axis=1), strict=True))
