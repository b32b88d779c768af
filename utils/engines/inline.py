"""The pipeline in this process, for Python callers: windows given, or from decoder processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.engines.channel import readable
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions, Decoders
from torch_zoo.utils.engines.pipeline import LONG_SECONDS, Ended, Pipeline
from torch_zoo.utils.types import Extractor, Features, MediaError, Outcome, Source, Stage, Windows

TIMEOUT_SECONDS = 60.0


class Inline:
    """Runs an extractor whose stages are loaded in this process. Sources need names of their own."""

    def __init__(self, extractor: Extractor, stages: Sequence[Stage]) -> None:
        self._extractor = extractor
        self._features: dict[str, Features] = {}
        self._outcomes: list[Outcome] = []
        self._pipeline = Pipeline(extractor, stages, None, self._keep, self._outcomes.append)

    def run(
        self, sources: Sequence[Source], windows: Callable[[Source], Iterator[Windows]]
    ) -> Iterator[tuple[Outcome, Features | None]]:
        """Outcomes as they come, and the features of those that are done; `windows` are made in this process."""
        for source in sources:
            try:
                for each in windows(source):
                    self._pipeline.take(source, each)
                    yield from self._new()
            except MediaError as error:
                self._pipeline.take(source, Ended(str(error)))
            else:
                self._pipeline.take(source, Ended())
        yield from self._rest()

    def decode(
        self, sources: Sequence[Source], processes: int | None = None
    ) -> Iterator[tuple[Outcome, Features | None]]:
        """The same for files, decoded by processes of their own, by default one per core."""
        options = DecoderOptions(min(len(sources), processes or cpu_cores()), TIMEOUT_SECONDS, memory=None)
        with (
            closing(DecoderServer()) as server,
            closing(Decoders(server.connect(), self._extractor, options)) as decoders,
        ):
            waiting = iter(sources)
            given = 0
            while given < decoders.capacity and (source := next(waiting, None)):
                list(decoders.add(source))
                given += 1
            while decoders.unfinished:
                channels = readable(decoders.channels, 0.0)
                if not channels and not self._pipeline.settle(more_to_come=True):
                    channels = readable(decoders.channels, LONG_SECONDS if self._pipeline.busy else None)
                for channel in channels:
                    for source, event in decoders.receive(channel):
                        self._pipeline.take(source, event)
                        if isinstance(event, Ended) and (more := next(waiting, None)):
                            list(decoders.add(more))
                yield from self._new()
        yield from self._rest()

    def _keep(self, features: Features) -> str:
        self._features[features.source.name] = features
        return ""

    def _rest(self) -> Iterator[tuple[Outcome, Features | None]]:
        while self._pipeline.settle(more_to_come=False):
            yield from self._new()
        yield from self._new()

    def _new(self) -> Iterator[tuple[Outcome, Features | None]]:
        while self._outcomes:
            outcome = self._outcomes.pop(0)
            yield outcome, self._features.pop(outcome.source.name, None)
