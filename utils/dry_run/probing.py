"""What would become of sources: they are opened in decoder processes, up to their first frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol

import numpy as np

from torch_zoo.utils.dry_run.decoding import found
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions
from torch_zoo.utils.media.headers import Probe
from torch_zoo.utils.media.streams import NoStreamError
from torch_zoo.utils.types import Extractor, Source, Windows

Kind = Literal[
    "to extract", "done", "too short", "missing", "no such stream", "name clash", "unreadable", "failed before"
]
NO_STREAM = "no_stream"  # metadata key: why


@dataclass(frozen=True, slots=True)
class Finding:
    """What would become of a source."""

    source: Source
    kind: Kind
    message: str = ""
    fails: bool = False
    probe: Probe | None = None  # of one that was opened


class Probing(Extractor, Protocol):
    """An extractor that can say what it would make of a source."""

    def probe(self, source: Source) -> Probe:
        """Open the source as `windows` does, and decode no more than its first frame. Raises MediaError."""


@dataclass(frozen=True)
class _Prober:
    """Decodes no more than a frame."""

    extractor: Probing

    def windows(self, source: Source) -> Iterator[Windows]:
        try:
            metadata = {name: np.array(value) for name, value in asdict(self.extractor.probe(source)).items()}
        except NoStreamError as error:
            metadata = {NO_STREAM: np.array(str(error))}
        yield Windows(np.zeros((0, 0)), np.zeros((0, 2)), metadata)


def probed(
    sources: Sequence[Source], extractor: Probing, server: DecoderServer, options: DecoderOptions
) -> Iterator[Finding]:
    """What becomes of sources that are opened, as they come. Raises WorkerError if decoders keep ending."""
    for source, metadata, error in found(sources, _Prober(extractor), server, replace(options, headers_only=True)):
        if error:
            yield Finding(source, "unreadable", error, fails=True)
        elif NO_STREAM in metadata:
            yield Finding(source, "no such stream", metadata[NO_STREAM].item(), fails=True)
        else:
            probe = Probe(**{name: value.item() for name, value in metadata.items()})
            if probe.rows == 0:
                yield Finding(source, "too short", extractor.empty_message, probe=probe)
            else:
                yield Finding(source, "to extract", probe=probe)
