"""VGGSound: the audio of a source -> features and logits of a ResNet that tells 309 kinds of sound apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from torch_zoo.models.vggsound.labels import CLASSES, LABELS, read_labels
from torch_zoo.models.vggsound.layers import Model, Pooling, width
from torch_zoo.models.vggsound.spectrogram import (
    SAMPLE_RATE,
    SEGMENT_SAMPLES,
    normalized_log_spectrogram,
    num_segments,
)
from torch_zoo.models.vggsound.weights import resolve
from torch_zoo.utils.checkpoints import Checkpoint
from torch_zoo.utils.devices import DeviceModel, Precision, batch_that_fits
from torch_zoo.utils.downloads import verified
from torch_zoo.utils.media.audio import Decoder, mono, open_audio, to_int16
from torch_zoo.utils.media.headers import Probe
from torch_zoo.utils.media.resampling import Resampler, is_exact, num_resampled, resample
from torch_zoo.utils.types import Features, Predictions, Source, Stage, Timing, UsageError, Windows
from torch_zoo.utils.windows import num_windows, num_windows_to_end, windows_to_end

KEY, LOGITS = "vggsound", "vggsound_logits"
STREAM = "audio"  # of the predictions
MARGIN_SECONDS = 0.5  # decoded beyond the first window, so that its last samples are resampled like all others
BYTES_PER_SEGMENT = 256 << 10  # of device memory, per column of a spectrogram: several times the largest maps


@dataclass(frozen=True, kw_only=True)
class VGGSoundExtractor:
    """Options as in configs/feature_type/vggsound.yaml. Raises UsageError if one is out of range."""

    checkpoint: str = "pretrained"
    seed: int = 0
    precision: Precision = "fp32"
    model: Model = "resnet18"
    pooling: Pooling = "netvlad"
    labels: str = "pretrained"
    show_pred: bool = False
    window_seconds: float = 10.0
    hop_seconds: float | None = None
    last_window: Literal["drop", "tile"] = "drop"
    resampler: Resampler = "swr"
    decoder: Decoder = "auto"

    def __post_init__(self) -> None:
        shortest = SEGMENT_SAMPLES / SAMPLE_RATE
        if not (math.isfinite(self.window_seconds) and self._samples >= SEGMENT_SAMPLES):
            raise UsageError(f"window_seconds={self.window_seconds:g}: must be a number of seconds from {shortest:g}")
        if self.hop_seconds is None:
            if self.last_window != "drop":
                raise UsageError(
                    f"last_window={self.last_window} does nothing without hop_seconds, since only the first window of "
                    f"{self.window_seconds:g} s is taken; add hop_seconds={self.window_seconds:g}"
                )
        elif not (math.isfinite(self.hop_seconds) and self._hop >= 1):
            raise UsageError(f"hop_seconds={self.hop_seconds:g}: must be a number of seconds above 0, or null")

    @property
    def arrays(self) -> Mapping[str, np.dtype]:
        return {
            KEY: np.dtype((np.float32, width(self.model, self.pooling))),
            LOGITS: np.dtype((np.float32, self._num_classes)),
        }

    @property
    def settings(self) -> Mapping[str, object]:
        return {
            "checkpoint": self.weights.identity,
            "precision": self.precision,
            "model": self.model,
            "pooling": self.pooling,
            "classes": self._num_classes,
            "window_seconds": self.window_seconds,
            "hop_seconds": self.hop_seconds,
            "last_window": self.last_window,
            "resampler": self.resampler,
        }

    @property
    def timing(self) -> Timing | None:
        """In samples."""
        return Timing(self._samples, self._hop, SAMPLE_RATE) if self.hop_seconds else None

    @property
    def empty_message(self) -> str:
        return "the audio stream has no samples"

    @cached_property
    def weights(self) -> Checkpoint:
        """Resolved (and downloaded) on first use; pickled to the workers with the extractor."""
        return resolve(self.model, self.pooling, self.checkpoint, self.seed)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits. Raises UsageError."""
        return read_labels(verified(LABELS, "labels")[0] if self.labels == "pretrained" else self.labels)

    @property
    def _num_classes(self) -> int:
        return CLASSES if self.labels == "pretrained" else len(self.classes)

    def load(self, device: str, threads: int) -> list[Stage]:
        import torch

        from torch_zoo.models.vggsound.network import Joined, VGGSound

        if self.show_pred:
            self.classes  # noqa: B018 - read now, so that a missing list fails before any work is done
        torch.set_num_threads(threads)
        network = VGGSound.with_weights(self.weights, self.model, self.pooling, self._num_classes)
        model = DeviceModel(Joined(network.fold()), device, self.precision)
        columns = width(self.model, self.pooling)

        def forward(batch: np.ndarray) -> Callable[[], Mapping[str, np.ndarray]]:
            outputs = model(batch)

            def wait() -> Mapping[str, np.ndarray]:
                features, logits = np.split(outputs(), [columns], axis=1)
                return {KEY: features, LOGITS: logits}

            return wait

        if device == "cpu":  # more windows at a time leave the cache
            return [Stage(forward, max(2, threads), busy_seconds=model.busy_seconds)]
        batch_size = batch_that_fits(device, BYTES_PER_SEGMENT * num_segments(self._samples), most=256)
        return [Stage(forward, batch_size, allocate=model.allocate, busy_seconds=model.busy_seconds)]

    def windows(self, source: Source) -> Iterator[Windows]:
        """Normalized log spectrograms (1, 1, 257, T), T = 1004 for ten seconds; short sources are tiled."""
        source = self._needed(source)
        with open_audio(source, self.decoder) as audio:
            yield from self.windows_of(mono(audio.blocks), audio.rate, source.start)

    def probe(self, source: Source) -> Probe:
        source = self._needed(source)
        with open_audio(source, self.decoder) as audio:

            def num_rows(samples: int) -> int:
                resampled = num_resampled(samples, audio.rate, SAMPLE_RATE)
                rows = num_windows_to_end(resampled, self._samples, self._hop)
                if self.hop_seconds and self.last_window == "tile":
                    return rows
                complete = num_windows(resampled, self._samples, self._hop) if self.hop_seconds else 0
                return max(complete, min(rows, 1))

            return audio.probe(source, num_rows, is_exact(self.resampler, audio.rate, SAMPLE_RATE))

    def _needed(self, source: Source) -> Source:
        """Of the source, what is decoded."""
        if self.hop_seconds is not None:
            return source
        end = source.start + self.window_seconds + MARGIN_SECONDS
        return replace(source, end=end if source.end is None else min(source.end, end))

    def windows_of(self, blocks: Iterable[np.ndarray], rate: int, start: float = 0.0) -> Iterator[Windows]:
        """Mono blocks (n,) in [-1, 1] at `rate` Hz -> the windows, the first one at `start` s."""
        samples = (to_int16(block) / 32768 for block in resample(blocks, rate, SAMPLE_RATE, self.resampler))
        for number, window in enumerate(windows_to_end(samples, self._samples, self._hop)):
            if number and (self.hop_seconds is None or (len(window) < self._samples and self.last_window == "drop")):
                return
            begin = start + number * self._hop / SAMPLE_RATE
            spectrogram = normalized_log_spectrogram(np.resize(window, self._samples))
            yield Windows(spectrogram[None, None], np.array([[begin, begin + len(window) / SAMPLE_RATE]]))

    @property
    def _samples(self) -> int:
        """Of a window."""
        return round(self.window_seconds * SAMPLE_RATE)

    @property
    def _hop(self) -> int:
        return self._samples if self.hop_seconds is None else round(self.hop_seconds * SAMPLE_RATE)

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        """Pooled features (T, D) and logits (T, classes) of each window."""
        found = {key: arrays.get(key, np.zeros((0, *row.shape), np.float32)) for key, row in self.arrays.items()}
        predictions = Predictions({STREAM: found[LOGITS]}, self.classes) if self.show_pred and len(times) else None
        return Features(source, found, times, predictions)
