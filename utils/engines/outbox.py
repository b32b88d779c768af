"""Outcomes on their way to the driver: those of features that the sink only buffers wait until they are stored."""

from __future__ import annotations

import logging
from collections.abc import Callable

from torch_zoo.utils.engines.decoder import describe
from torch_zoo.utils.engines.news import Computed
from torch_zoo.utils.types import Outcome, Sink

log = logging.getLogger(__name__)


class Outbox:
    """What a worker sends of its sources: their outcomes, or that they are computed."""

    def __init__(self, sink: Sink, send: Callable[[object], None]) -> None:
        self._sink = sink
        self._send = send
        self._held: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """The sink has written the features of a source, or there are none."""
        if outcome.status == "failed":
            self._send(outcome)
        else:
            self._held.append(outcome)
        if not self._sink.buffered:
            self._release()
        elif outcome.status != "failed":
            self._send(Computed(outcome.source, outcome.media_seconds))

    def flush(self) -> None:
        """Have the sink store what it buffers; if it can't, the sources of all that fail."""
        try:
            self._sink.flush()
        except Exception as error:
            failure = describe(error)
            if failure.trace:
                log.error("%s: unexpected\n%s", self._sink.destination, failure.trace)
            self._held = [Outcome(each.source, "failed", failure.error) for each in self._held]
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for outcome in held:
            self._send(outcome)
