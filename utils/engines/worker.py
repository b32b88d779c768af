"""The process of one device: windows from its decoders -> pipeline -> outcomes, for the sources its driver sends.

One thread waits for messages and feeds the pipeline; nothing is decoded here. The networks are loaded in a second
thread while the first sources are being decoded.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NoReturn

from torch_zoo.utils.engines.channel import Channel, readable
from torch_zoo.utils.engines.decoders import DecoderOptions, Decoders, Found
from torch_zoo.utils.engines.news import POSITION_SECONDS, Forward, Loading, LogLine, Meter, Position
from torch_zoo.utils.engines.outbox import Outbox
from torch_zoo.utils.engines.pipeline import LONG_SECONDS, Ended, Event, Pipeline
from torch_zoo.utils.processes import end_with_parent
from torch_zoo.utils.types import Extractor, Outcome, OutputError, Sink, Source, Stage, UsageError, Windows

log = logging.getLogger(__name__)

EARLY_BYTES = 24 << 20  # of windows that are held while the networks are being loaded


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """Worker to driver: send `number` more sources."""

    number: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """Worker to driver: the networks are ready. The driver answers with Commit before anything is written."""


@dataclass(frozen=True, slots=True)
class Committed:
    """Driver to worker: outputs may be written."""


@dataclass(frozen=True, slots=True)
class Store:
    """Driver to worker: there is nothing else to do now; store what is buffered."""


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """Worker to driver: this worker could not be built, or can't go on."""

    reason: str
    ends_run: type[Exception] | None = None  # which is raised: no other worker would fare better


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker is to do, and with how much of the machine."""

    extractor: Extractor
    sink: Sink
    device: str
    threads: int  # for the network, on a CPU
    decoders: DecoderOptions
    batch_size: int | None
    driver: int  # id of the process that starts it


def main(descriptor: int) -> NoReturn:
    """Entry of the process. The driver ends it with None, SIGTERM, or by closing the channel."""
    driver = Channel.from_descriptor(descriptor)
    try:
        (config, token), server = driver.receive()
    except EOFError:
        os._exit(1)  # the driver was interrupted before it sent anything
    end_with_parent(config.driver)
    signal.signal(signal.SIGTERM, _stop)
    logging.getLogger("torch_zoo").addHandler(Forward(lambda text: driver.send(LogLine(text))))
    try:
        DeviceWorker(config, driver, Channel.from_descriptor(server), token).run()
    except (UsageError, OutputError) as error:
        driver.send(WorkerFailed(str(error), type(error)))
    except (EOFError, ConnectionError):
        os._exit(1)  # the driver is gone
    except SystemExit:
        with suppress(Exception):  # it is extracted again, if it can't be stored in the seconds that are left
            config.sink.flush()
        os._exit(128 + signal.SIGTERM)
    except Exception as error:  # what the worker held is tried once more elsewhere
        log.error("the worker on %s ends", config.device, exc_info=error)
        driver.send(WorkerFailed(f"{type(error).__name__}: {error}"))
    sys.stdout.flush()
    os._exit(0)  # all is written; torch would take half a second to put itself away


def _stop(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the next one, of SLURM to all or of the driver, must not end this
    sys.exit(128 + signal.SIGTERM)  # what was left half-written is cleared away on the way out


class DeviceWorker:
    """Feeds the pipeline of one device."""

    def __init__(self, config: WorkerConfig, driver: Channel, server: Channel, token: str) -> None:
        self._config = config
        self._driver = driver
        self._token = token
        self._decoders = Decoders(server, config.extractor, config.decoders)
        self._outbox = Outbox(config.sink, driver.send)
        self._committed = False  # outputs may be written
        self._last = False  # the driver has no more sources
        self._told = Position("", {})
        self._tell_due = 0.0  # s of the monotonic clock
        self._computing = False  # has the first batch been told of?

    def run(self) -> None:
        self._driver.send(Loading(type(self._config.extractor).__name__.removesuffix("Extractor")))
        self._request(self._decoders.capacity)
        stages, early = self._load()
        self._pipeline = Pipeline(
            self._config.extractor,
            stages,
            self._config.batch_size,
            self._outbox.write,
            self._add,
            self._tell_position,
        )
        self._meter = Meter(stages)
        self._driver.send(Loaded())
        while not self._committed:
            self._receive(self._driver)
        self._outbox.open(self._token)
        self._tell_position()
        for source, event in early:
            self._take(source, event)
        while not self._last or self._decoders.unfinished:
            if not self._receive_all(0.0) and not self._pipeline.settle(more_to_come=self._decoders.unfinished):
                self._receive_all(LONG_SECONDS if self._pipeline.busy or self._position != self._told else None)
        while self._pipeline.settle(more_to_come=False):
            pass
        self._outbox.flush()
        self._decoders.close()

    def _load(self) -> tuple[Sequence[Stage], list[Found]]:
        """The stages, and what the decoders found in the meantime."""
        done, loaded = Channel.pair()
        results: list[Sequence[Stage] | BaseException] = []

        def load() -> None:
            try:
                results.append(self._config.extractor.load(self._config.device, self._config.threads))
            except BaseException as error:
                results.append(error)
            loaded.close()

        threading.Thread(target=load, daemon=True).start()
        early: list[Found] = []
        held_bytes = 0
        while not results:
            others = self._decoders.channels if held_bytes < EARLY_BYTES else []
            for channel in readable([done, self._driver, *others]):
                if channel is self._driver:
                    early += self._sources()
                elif channel is not done:
                    for source, found in self._decoders.receive(channel):
                        if isinstance(found, Windows):
                            found = replace(found, data=found.data.copy())
                            held_bytes += found.data.nbytes
                        early.append((source, found))
        done.close()
        [result] = results
        if isinstance(result, BaseException):
            raise result
        return result, early

    def _receive_all(self, timeout: float | None) -> bool:
        """Take a message from each channel that has one; False if none has."""
        began = time.monotonic()
        channels = readable([self._driver, *self._decoders.channels], timeout)
        if timeout != 0.0:
            self._meter.waited(time.monotonic() - began)
        if self._meter.due:
            self._tell_load(len(channels) - (self._driver in channels))
        self._tell_position()
        for channel in channels:
            self._receive(channel)
        return bool(channels)

    def _receive(self, channel: Channel) -> None:
        events = self._sources() if channel is self._driver else self._decoders.receive(channel)
        for source, event in events:
            self._take(source, event)

    def _sources(self) -> Iterator[Found]:
        """Take a message of the driver."""
        message = self._driver.receive()
        if isinstance(message, Source):
            self._config.sink.expect(message)
            capacity = self._decoders.capacity
            yield from self._decoders.add(message)
            self._request(self._decoders.capacity - capacity)
        elif isinstance(message, Committed):
            self._committed = True
        elif isinstance(message, Store):
            self._outbox.flush()
        else:
            self._last = True

    def _take(self, source: Source, event: Event) -> None:
        self._pipeline.take(source, event)
        if isinstance(event, Ended):
            self._request(1)

    def _add(self, outcome: Outcome) -> None:
        """An outcome of the pipeline. It may be the last of the run, after which nobody listens."""
        if not self._decoders.unfinished:
            self._tell_load(0)
        self._outbox.add(outcome)

    @property
    def _position(self) -> Position:
        doing = "computing" if self._pipeline.busy else self._decoders.doing or "decoding"
        return Position(doing, self._pipeline.reached)

    def _tell_position(self) -> None:
        """If it is time; the first batch, which may take long, is told of at once."""
        first = self._pipeline.busy and not self._computing
        if (first or time.monotonic() >= self._tell_due) and (position := self._position) != self._told:
            self._driver.send(position)
            self._computing = self._pipeline.busy or self._computing
            self._told, self._tell_due = position, time.monotonic() + POSITION_SECONDS

    def _tell_load(self, ready: int) -> None:
        load = self._meter.load(self._decoders.num_sources, self._config.decoders.number, ready)
        self._driver.send(load)

    def _request(self, number: int) -> None:
        if number:
            self._driver.send(SourceRequest(number))
