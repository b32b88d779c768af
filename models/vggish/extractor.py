"""VGGish: the audio of a source -> one 128-d embedding per 0.96 s."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from torch_zoo.models.vggish import logmel
from torch_zoo.models.vggish.postprocess import WIDTH, Pca, Pooling, Postprocess, load_pca, normalized, pool
from torch_zoo.models.vggish.weights import PCA_PARAMS, VARIABLES, WEIGHTS
from torch_zoo.utils import checkpoints, cpu, windows
from torch_zoo.utils.devices import DeviceModel, Precision, batch_that_fits
from torch_zoo.utils.digests import fingerprint
from torch_zoo.utils.downloads import resolve_file
from torch_zoo.utils.media.audio import Decoder, keep_wav, mono, open_audio
from torch_zoo.utils.media.headers import Probe
from torch_zoo.utils.media.kept_files import check_tmp_path
from torch_zoo.utils.media.resampling import Resampler, is_exact, num_resampled, resample
from torch_zoo.utils.types import Features, MediaError, Source, Stage, Timing, UsageError, Windows

Activation = Literal["relu", "none"]

KEY = "vggish"
BYTES_PER_WINDOW = 8 << 20  # of device memory: four times the first layer's maps in fp32, and cuDNN's workspace


@dataclass(frozen=True, kw_only=True)
class VGGishExtractor:
    """Options as in configs/feature_type/vggish.yaml. Raises UsageError if one is out of range."""

    checkpoint: str = "pretrained"
    seed: int = 0
    precision: Precision = "fp32"
    activation: Activation = "relu"
    resampler: Resampler = "resampy_0_2"
    decoder: Decoder = "auto"
    hop_seconds: float = 0.96
    last_window: Literal["drop", "pad"] = "drop"
    postprocess: Postprocess = "none"
    pca_params: str = "pretrained"
    pooling: Pooling | None = None
    normalize: bool = False
    tmp_path: str = "./tmp"
    keep_tmp_files: bool = False

    def __post_init__(self) -> None:
        check_tmp_path(self.tmp_path)
        if not 0 < self.hop_seconds < math.inf:
            raise UsageError(f"hop_seconds={self.hop_seconds:g}: must be a multiple of 0.01 s above 0")
        nearest = max(1, self._hop_frames) * logmel.HOP_SECONDS
        if abs(self.hop_seconds - nearest) > 1e-6:
            raise UsageError(
                f"hop_seconds={self.hop_seconds:g} is not a multiple of 0.01 s; the nearest is {nearest:g}"
            )
        if self.pca_params != "pretrained" and self.postprocess == "none":
            raise UsageError(f"pca_params={self.pca_params} does nothing without postprocess; add postprocess=pca")
        if self.normalize and self.arrays[KEY].base == np.uint8:
            raise UsageError(
                f"normalize=true: 8-bit rows can't be L2-normalized; with postprocess={self.postprocess}, "
                "omit normalize, pool the rows (pooling=mean), or choose postprocess=pca"
            )

    @property
    def arrays(self) -> Mapping[str, np.dtype]:
        eight_bit = self.postprocess.startswith("pca_8bit") and not self.pooling
        return {KEY: np.dtype((np.uint8 if eight_bit else np.float32, WIDTH))}

    @property
    def settings(self) -> Mapping[str, object]:
        return {
            "checkpoint": self.weights.identity,
            "precision": self.precision,
            "activation": self.activation,
            "resampler": self.resampler,
            "hop_seconds": self.hop_seconds,
            "last_window": self.last_window,
            "postprocess": self.postprocess,
            "pca_params": fingerprint(self._pca_file) if self._pca_file else None,
            "pooling": self.pooling,
            "normalize": self.normalize,
        }

    @property
    def timing(self) -> Timing | None:
        """In log-mel frames."""
        return None if self.pooling else Timing(logmel.EXAMPLE_FRAMES, self._hop_frames, 1 / logmel.HOP_SECONDS)

    @property
    def empty_message(self) -> str:
        if self.last_window == "pad":
            return "the audio stream has no samples"
        return f"shorter than one window of {logmel.EXAMPLE_SECONDS} s; last_window=pad pads it with silence"

    @cached_property
    def weights(self) -> checkpoints.Checkpoint:
        """Resolved (and downloaded) on first use; pickled to the workers with the extractor."""
        return checkpoints.resolve(self.checkpoint, WEIGHTS, self.seed, VARIABLES)

    @cached_property
    def _pca_file(self) -> Path | None:
        if self.postprocess == "none":
            return None
        return resolve_file(self.pca_params, PCA_PARAMS, option="pca_params")

    @cached_property
    def pca(self) -> Pca | None:
        return load_pca(self._pca_file) if self._pca_file else None

    def load(self, device: str, threads: int) -> list[Stage]:
        import torch

        from torch_zoo.models.vggish.cpu import CpuVGGish
        from torch_zoo.models.vggish.network import VGGish

        network = VGGish.with_weights(self.weights, final_relu=self.activation == "relu")
        self.pca  # noqa: B018 - read now, so that a wrong file fails before any work is done
        model: CpuVGGish | DeviceModel
        if device == "cpu" and self.precision != "fp16" and cpu.has_packed_products():
            model = CpuVGGish(network, threads, self.precision)
        else:
            torch.set_num_threads(threads)
            model = DeviceModel(network, device, self.precision)

        def forward(batch: np.ndarray) -> Callable[[], Mapping[str, np.ndarray]]:
            embeddings = model(batch)
            return lambda: {KEY: embeddings()}

        if isinstance(model, DeviceModel) and device != "cpu":
            batch_size = batch_that_fits(device, BYTES_PER_WINDOW, most=512)
            return [Stage(forward, batch_size, allocate=model.allocate, busy_seconds=model.busy_seconds)]
        return [Stage(forward, 32 * threads, busy_seconds=model.busy_seconds)]

    def windows(self, source: Source) -> Iterator[Windows]:
        with open_audio(source, self.decoder) as audio:
            blocks: Iterable[np.ndarray] = audio.blocks
            if self.keep_tmp_files:
                blocks = keep_wav(blocks, audio.rate, Path(self.tmp_path) / f"{source.name}.wav", source.path)
            yield from self.windows_of(mono(blocks), audio.rate, source.start)

    def probe(self, source: Source) -> Probe:
        with open_audio(source, self.decoder) as audio:

            def num_rows(samples: int) -> int:
                resampled = num_resampled(samples, audio.rate, logmel.SAMPLE_RATE)
                rows = logmel.num_examples(resampled, self._hop_frames, pad=self.last_window == "pad")
                return min(rows, 1) if self.pooling else rows

            return audio.probe(source, num_rows, is_exact(self.resampler, audio.rate, logmel.SAMPLE_RATE))

    def windows_of(self, blocks: Iterable[np.ndarray], rate: int, start: float = 0.0) -> Iterator[Windows]:
        """Mono blocks (n,) in [-1, 1] at `rate` Hz -> log-mel windows (m, 1, 96, 64), the first one at `start` s."""
        samples = resample(blocks, rate, logmel.SAMPLE_RATE, self.resampler)
        first = 0
        for examples in logmel.examples(samples, self._hop_frames, pad=self.last_window == "pad"):
            if not np.isfinite(examples).all():
                raise MediaError("the audio contains NaN or infinity")
            spans = windows.spans(first, len(examples), logmel.EXAMPLE_SECONDS, self.hop_seconds, start)
            yield Windows(examples[:, None], spans)
            first += len(examples)

    @property
    def _hop_frames(self) -> int:
        return round(self.hop_seconds / logmel.HOP_SECONDS)

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        """Embeddings after `postprocess`, one per window (T, 128) or, pooled, one per source (1, 128)."""
        rows = arrays.get(KEY, np.zeros((0, WIDTH), np.float32))
        if self.pca:
            rows = self.pca.apply(rows, self.postprocess)
        if self.pooling:
            rows = pool(rows, self.pooling)
            times = np.array([[times[0, 0], times[-1, 1]]]) if len(times) else times
        return Features(source, {KEY: normalized(rows) if self.normalize else rows}, times)
