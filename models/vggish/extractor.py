"""VGGish: the sound of a source -> one 128-d embedding every 0.96 s."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from models.vggish import logmel
from models.vggish.weights import WEIGHTS
from utils import checkpoints, windows
from utils.devices import Placed, Precision, batch_that_fits
from utils.media.audio import Decoder, keep_wav, mono, open_audio
from utils.media.resampling import Resampler, resample
from utils.types import Features, Forward, Source, UsageError, Windows

KEY = "vggish"
WIDTH = 128
BYTES_PER_WINDOW = 8 << 20  # of device memory: the first layer's maps in fp32 four times over, and what cuDNN works in


@dataclass(frozen=True, kw_only=True)
class VGGishExtractor:
    """Options as in configs/feature_type/vggish.yaml. Raises UsageError if one is out of range."""

    checkpoint: str = "pretrained"
    seed: int = 0
    precision: Precision = "fp32"
    activation: Literal["relu", "none"] = "relu"
    resampler: Resampler = "resampy_0_2"
    decoder: Decoder = "auto"
    hop_seconds: float = 0.96
    last_window: Literal["drop", "pad"] = "drop"
    tmp_path: str = "./tmp"
    keep_tmp_files: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.hop_seconds):
            raise UsageError(f"hop_seconds={self.hop_seconds} is no length of time")
        nearest = max(1, self._hop_frames) * logmel.HOP_SECONDS
        if abs(self.hop_seconds - nearest) > 1e-6:
            raise UsageError(
                f"hop_seconds={self.hop_seconds:g} is not a multiple of 0.01 s; the nearest is {nearest:g}"
            )

    @property
    def arrays(self) -> Mapping[str, np.dtype]:
        return {KEY: np.dtype(np.float32)}

    @property
    def settings(self) -> Mapping[str, object]:
        return {
            "checkpoint": self.weights.identity,
            "precision": self.precision,
            "activation": self.activation,
            "resampler": self.resampler,
            "hop_seconds": self.hop_seconds,
            "last_window": self.last_window,
        }

    @property
    def too_short(self) -> str:
        if self.last_window == "pad":
            return "it holds no sound at all"
        return f"shorter than one window of {logmel.EXAMPLE_SECONDS} s; last_window=pad completes it with silence"

    @cached_property
    def weights(self) -> checkpoints.Checkpoint:
        """Found, or downloaded, when first asked for; workers get it with the extractor."""
        return checkpoints.find(self.checkpoint, WEIGHTS, self.seed)

    def load(self, device: str, threads: int) -> Forward:
        import torch

        from models.vggish.network import VGGish

        with torch.device("meta"):
            network = VGGish(final_relu=self.activation == "relu")
        self.weights.load(network)
        start: Callable[[np.ndarray], Callable[[], np.ndarray]]
        if device == "cpu" and self.precision != "fp16" and torch.backends.mkldnn.is_available():
            from models.vggish.cpu import CpuVGGish

            dense_type = torch.bfloat16 if self.precision == "bf16" else torch.float32
            start = CpuVGGish(network, threads, dense_type)
        else:
            torch.set_num_threads(threads)
            start = Placed(network, device, self.precision)

        def forward(batch: np.ndarray) -> Callable[[], Mapping[str, np.ndarray]]:
            embeddings = start(batch)
            return lambda: {KEY: embeddings()}

        return forward

    def batch_size(self, device: str, threads: int) -> int:
        return 32 * threads if device == "cpu" else batch_that_fits(device, BYTES_PER_WINDOW, most=512)

    def windows(self, source: Source) -> Iterator[Windows]:
        with open_audio(source, self.decoder) as audio:
            blocks: Iterable[np.ndarray] = audio.blocks
            if self.keep_tmp_files:
                blocks = keep_wav(blocks, audio.rate, Path(self.tmp_path) / f"{source.name}.wav")
            samples = resample(mono(blocks), audio.rate, logmel.SAMPLE_RATE, self.resampler)
            first = 0
            for examples in logmel.examples(samples, self._hop_frames, pad=self.last_window == "pad"):
                spans = windows.spans(first, len(examples), logmel.EXAMPLE_SECONDS, self.hop_seconds, source.start)
                yield Windows(examples[:, None], spans)
                first += len(examples)

    @property
    def _hop_frames(self) -> int:
        return round(self.hop_seconds / logmel.HOP_SECONDS)

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        return Features(source, {KEY: arrays.get(KEY, np.zeros((0, WIDTH), np.float32))}, times)
