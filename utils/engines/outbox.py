"""What a worker stores, and the outcomes on their way to the driver: they wait until the features are stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from torch_zoo.utils import storage
from torch_zoo.utils.engines.decoder import reported
from torch_zoo.utils.engines.news import Computed
from torch_zoo.utils.types import Features, Outcome, OutputError, Sink

T = TypeVar("T")

PAUSE_SECONDS = 2.0  # before the second try, since a disk may be full for a moment only


class Outbox:
    """Has the sink store what a worker computes, and sends the outcomes of its sources, or that they are computed.

    Where nothing can be stored any more, also in a second try, it raises OutputError.
    """

    def __init__(self, sink: Sink, send: Callable[[object], None]) -> None:
        self._sink = sink
        self._send = send
        self._held: list[Outcome] = []

    def open(self, token: str) -> None:
        """As `Sink.open`."""
        self._store(partial(self._sink.open, token))

    def write(self, features: Features) -> str:
        """As `Sink.write`. Raises OSError where only these features can't be stored."""
        return self._store(partial(self._sink.write, features))

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
            self._store(self._sink.flush)
        except OutputError:
            raise
        except Exception as error:
            reason = reported(error, self._sink.destination)
            self._held = [Outcome(each.source, "failed", reason) for each in self._held]
        self._release()

    def _store(self, action: Callable[[], T]) -> T:
        """Have the sink do this; errors that concern the place of the output are OutputErrors."""
        place = self._sink.destination
        for last in (False, True):
            try:
                return action()
            except OSError as error:
                if not (place and storage.is_unwritable(place, error)):
                    raise
                if last:
                    raise OutputError(f"{place}: cannot be written ({storage.reason(error)})") from error
            time.sleep(PAUSE_SECONDS)
        raise AssertionError  # the last try returns or raises

    def _release(self) -> None:
        held, self._held = self._held, []
        for outcome in held:
            self._send(outcome)
