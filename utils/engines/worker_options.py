"""The options that all engines have for their workers."""

from __future__ import annotations

import os
from dataclasses import dataclass

from torch_zoo.utils.engines.decoders import DecoderOptions
from torch_zoo.utils.engines.worker import WorkerConfig
from torch_zoo.utils.media.protocols import PROTOCOLS
from torch_zoo.utils.types import Extractor, Sink, UsageError

MOST_DECODERS = 32  # per worker, where num_decoders is null
LARGEST_BATCH = 65_536  # windows; of VGGish's, which are small, 1.6 GB
LEAST_MEMORY = 256_000_000  # bytes that a decoder needs to run at all


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """Options as in configs/config.yaml. Raises UsageError if one is out of range."""

    num_decoders: int | None = None
    batch_size: int | None = None
    timeout: float = 60.0
    decoder_memory: int | None = 8_000_000_000
    allow_protocols: list[str] | None = None

    def __post_init__(self) -> None:
        for name in ("num_decoders", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name}={value}: must be 1 or more, or null to choose it for this machine")
        if self.batch_size is not None and self.batch_size > LARGEST_BATCH:
            raise UsageError(f"batch_size={self.batch_size}: must be {LARGEST_BATCH} or less; no device holds more")
        if not 0 <= self.timeout < float("inf"):
            raise UsageError(f"timeout={self.timeout:g}: must be 0 (never) or more seconds")
        if self.decoder_memory is not None and self.decoder_memory < LEAST_MEMORY:
            raise UsageError(f"decoder_memory={self.decoder_memory}: must be {LEAST_MEMORY} bytes or more, or null")
        for protocol in self.allow_protocols or ():
            if protocol not in PROTOCOLS:
                raise UsageError(f"allow_protocols: {protocol!r} is none of {', '.join(PROTOCOLS)}")

    def worker(self, extractor: Extractor, sink: Sink, device: str, cores: int) -> WorkerConfig:
        """For a worker that this process starts, with this many cores of its own."""
        threads, decoders = cores if device == "cpu" else 1, self.decoders(device, cores)
        return WorkerConfig(extractor, sink, device, threads, decoders, self.batch_size, os.getpid())

    def decoders(self, device: str, cores: int) -> DecoderOptions:
        """For a worker on this device, with this many cores of its own."""
        number = self.num_decoders or (max(1, cores // 2) if device == "cpu" else min(MOST_DECODERS, cores))
        return DecoderOptions(number, self.timeout, self.decoder_memory, tuple(self.allow_protocols or ()))
