"""Sources given to decoder processes, as in a run, for what these find: a probe may crash or hang as decoding may."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Protocol, cast

import numpy as np

from torch_zoo.utils.engines.channel import readable
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions, Decoders
from torch_zoo.utils.engines.pipeline import Ended
from torch_zoo.utils.types import Extractor, Source, Windows

Found = tuple[Source, Mapping[str, np.ndarray], str]  # metadata, and what is wrong with the source


class Looker(Protocol):
    """All that a decoder asks of an extractor."""

    def windows(self, source: Source) -> Iterator[Windows]:
        """As `Extractor.windows`; what is found is metadata."""


def found(
    sources: Sequence[Source],
    looker: Looker,
    server: DecoderServer,
    options: DecoderOptions,
    seconds: float | None = None,
) -> Iterator[Found]:
    """What is found of each source, as they come; those that take longer are left out.

    Raises WorkerError if decoders keep ending.
    """
    began = time.monotonic()
    waiting, metadata = deque(sources), dict[str, Mapping[str, np.ndarray]]()
    options = replace(options, number=max(1, min(len(sources), options.number)))
    with closing(Decoders(server.connect(), cast(Extractor, looker), options)) as decoders:
        while waiting or decoders.unfinished:
            while waiting and decoders.num_sources < decoders.capacity:
                list(decoders.add(waiting.popleft()))
            left = None if seconds is None else max(0.0, began + seconds - time.monotonic())
            channels = readable(decoders.channels, left)
            if not channels:
                return
            for channel in channels:
                for source, event in decoders.receive(channel):
                    if isinstance(event, Windows):
                        metadata[source.name] = event.metadata
                    elif isinstance(event, Ended):
                        yield source, metadata.pop(source.name, {}), event.error
