"""The pipeline in this process, for Python callers: windows given, or from decoder processes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.engines.channel import readable
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions, Decoders
from torch_zoo.utils.engines.pipeline import LONG_SECONDS, Ended, Pipeline
from torch_zoo.utils.engines.shared_server import shared_server
from torch_zoo.utils.types import Extractor, Features, MediaError, Outcome, Source, Stage, Windows

TIMEOUT_SECONDS = 60.0

Results = Generator[
    tuple[Outcome, Features | None], None, None
]  # outcomes as they come, features of those that have them


def load(extractor: Extractor, device: str, cores: int) -> Sequence[Stage]:
    """The stages of an extractor, in a process whose number of threads in torch is not ours to change."""
    import torch

    threads = torch.get_num_threads()
    try:
        return extractor.load(device, cores)
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class Inline:
    """An extractor whose stages are loaded in this process. In each call, sources need names of their own."""

    extractor: Extractor
    stages: Sequence[Stage]
    decoders: DecoderOptions = field(default_factory=lambda: DecoderOptions(cpu_cores(), TIMEOUT_SECONDS, memory=None))
    batch_size: int | None = None

    def run(self, sources: Sequence[Source], windows: Callable[[Source], Iterator[Windows]]) -> Results:
        """For `windows` that are made in this process."""
        call = _Call(self)
        for source in sources:
            try:
                for each in windows(source):
                    call.pipeline.take(source, each)
                    yield from call.new()
            except MediaError as error:
                call.pipeline.take(source, Ended(str(error)))
            else:
                call.pipeline.take(source, Ended())
        yield from call.rest()

    def decode(self, sources: Sequence[Source]) -> Results:
        """For files, decoded by processes of their own, to which relative paths mean what they do now.

        Raises WorkerError if these processes keep ending.
        """
        return self._decode(sources, shared_server())

    def _decode(self, sources: Sequence[Source], server: DecoderServer) -> Results:
        if not sources:
            return
        call = _Call(self)
        options = replace(self.decoders, number=min(len(sources), self.decoders.number))
        with closing(Decoders(server.connect(), self.extractor, options)) as decoders:
            waiting = iter(sources)
            given = 0
            while given < decoders.capacity and (source := next(waiting, None)):
                list(decoders.add(source))
                given += 1
            while decoders.unfinished:
                channels = readable(decoders.channels, 0.0)
                if not channels and not call.pipeline.settle(more_to_come=True):
                    channels = readable(decoders.channels, LONG_SECONDS if call.pipeline.busy else None)
                for channel in channels:
                    for source, event in decoders.receive(channel):
                        call.pipeline.take(source, event)
                        if isinstance(event, Ended) and (more := next(waiting, None)):
                            list(decoders.add(more))
                yield from call.new()
        yield from call.rest()


class _Call:
    """What one call has in progress."""

    def __init__(self, inline: Inline) -> None:
        self._features: dict[str, Features] = {}
        self._outcomes: list[Outcome] = []
        self.pipeline = Pipeline(inline.extractor, inline.stages, inline.batch_size, self._keep, self._outcomes.append)

    def _keep(self, features: Features) -> str:
        self._features[features.source.name] = features
        return ""

    def rest(self) -> Results:
        while self.pipeline.settle(more_to_come=False):
            yield from self.new()
        yield from self.new()

    def new(self) -> Results:
        while self._outcomes:
            outcome = self._outcomes.pop(0)
            yield outcome, self._features.pop(outcome.source.name, None)
