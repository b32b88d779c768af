"""How long decoding will take, from a short sample of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from torch_zoo.utils.dry_run.decoding import found
from torch_zoo.utils.dry_run.probing import Finding
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions
from torch_zoo.utils.types import Extractor, Source, Windows

T = TypeVar("T")

PER_DECODER = 4  # sources
MEDIA_SECONDS = 20.0  # of each
SECONDS_EACH, SECONDS = 2.0, 10.0  # after which a source, and all of it, ends


@dataclass(frozen=True)
class _Sampler:
    """Decodes for a while."""

    extractor: Extractor

    def windows(self, source: Source) -> Iterator[Windows]:
        assert source.end is not None
        began, end = time.monotonic(), source.end
        for windows in self.extractor.windows(source):
            if len(windows.times) and time.monotonic() - began > SECONDS_EACH:
                end = float(windows.times[-1, -1])
                break
        metadata = {"media_seconds": np.array(end - source.start), "seconds": np.array(time.monotonic() - began)}
        yield Windows(np.zeros((0, 0)), np.zeros((0, 2)), metadata)


def spread(items: Sequence[T], number: int) -> list[T]:
    """At most so many, at equal distances."""
    return [items[len(items) * index // number] for index in range(number)] if len(items) > number else [*items]


def decoding_seconds(
    findings: Sequence[Finding], extractor: Extractor, server: DecoderServer, options: DecoderOptions
) -> float | None:
    """How long it takes to decode sources of known length; None if none of the sample was decoded in time."""
    known = [(each.source, each.probe.seconds) for each in findings if each.probe and each.probe.seconds]
    sample = [
        replace(source, end=source.start + min(seconds, MEDIA_SECONDS))
        for source, seconds in spread(known, PER_DECODER * options.number)
    ]
    sampled = [
        metadata for _, metadata, error in found(sample, _Sampler(extractor), server, options, SECONDS) if not error
    ]
    covered = sum(float(each["media_seconds"]) for each in sampled)
    if not covered:
        return None
    seconds = sum(float(each["seconds"]) for each in sampled) / covered * sum(seconds for _, seconds in known)
    return seconds / min(options.number, len(known))
