"""The pipeline in this process, for Python callers: windows given, or from decoder processes."""

from __future__ import annotations

from collections import deque
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
MOST_EARLY_BYTES = 256 << 20  # of features that wait for those of a source before theirs; then nothing new is decoded

# in the order of the sources; features of those that have them
Results = Generator[tuple[Outcome, Features | None], None, None]


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
        call = _Call(self, sources)
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
        call = _Call(self, sources)
        options = replace(self.decoders, number=min(len(sources), self.decoders.number))
        with closing(Decoders(server.connect(), self.extractor, options)) as decoders:
            waiting = deque(sources)
            while waiting or decoders.unfinished:
                while waiting and decoders.num_sources < decoders.capacity and call.early_bytes < MOST_EARLY_BYTES:
                    list(decoders.add(waiting.popleft()))
                channels = readable(decoders.channels, 0.0)
                idle = not channels and not call.pipeline.settle(more_to_come=decoders.unfinished)
                if idle and decoders.unfinished:
                    channels = readable(decoders.channels, LONG_SECONDS if call.pipeline.busy else None)
                for channel in channels:
                    for source, event in decoders.receive(channel):
                        call.pipeline.take(source, event)
                yield from call.new()
        yield from call.rest()


class _Call:
    """What one call has in progress, and the results that wait for those of sources before theirs."""

    def __init__(self, inline: Inline, sources: Sequence[Source]) -> None:
        self._names = deque(source.name for source in sources)  # whose results have not been yielded
        self._features: dict[str, Features] = {}
        self._outcomes: dict[str, Outcome] = {}
        self.early_bytes = 0
        self.pipeline = Pipeline(inline.extractor, inline.stages, inline.batch_size, self._keep, self._end)

    def _keep(self, features: Features) -> str:
        self._features[features.source.name] = features
        self.early_bytes += _num_bytes(features)
        return ""

    def _end(self, outcome: Outcome) -> None:
        self._outcomes[outcome.source.name] = outcome

    def rest(self) -> Results:
        while self.pipeline.settle(more_to_come=False):
            yield from self.new()
        yield from self.new()

    def new(self) -> Results:
        while self._names and self._names[0] in self._outcomes:
            name = self._names.popleft()
            features = self._features.pop(name, None)
            self.early_bytes -= _num_bytes(features) if features else 0
            yield self._outcomes.pop(name), features


def _num_bytes(features: Features) -> int:
    return features.times.nbytes + sum(array.nbytes for array in features.arrays.values())
