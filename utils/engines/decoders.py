"""The decoders of one device worker, as the worker sees them: sources in, windows out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch_zoo.utils.engines.channel import Channel
from torch_zoo.utils.engines.decoder import Decoded, Doing, Return
from torch_zoo.utils.engines.decoder_server import Exited, Fork
from torch_zoo.utils.engines.pipeline import Ended, Event, Retried
from torch_zoo.utils.engines.scheduler import Abort, Action, Fail, Give, Restart, Scheduler
from torch_zoo.utils.engines.slabs import DroppedSlab, SharedWindows, SlabReader
from torch_zoo.utils.storage import is_url
from torch_zoo.utils.types import Extractor, Source, WorkerError

log = logging.getLogger(__name__)

AHEAD = 2  # sources that a decoder has: the one it works on, and the next
AHEAD_OF_URLS = 8  # the same where they are fetched, so that the next ones arrive meanwhile (docs/storage.md)


@dataclass(frozen=True, slots=True)
class DecoderOptions:
    """What is the same for all decoders of a worker."""

    number: int
    timeout: float  # s without progress, 0 = never
    memory: int | None  # bytes
    protocols: tuple[str, ...] = ()  # by which media may open other files
    headers_only: bool = False  # no more is wanted of media


Found = tuple[Source, Event]


class Decoders:
    """Decoder processes that share the sources of a worker.

    Wait until one of `channels` can be read, then call `receive`.
    """

    def __init__(self, server: Channel, extractor: Extractor, options: DecoderOptions) -> None:
        self._server = server
        self._extractor = extractor
        self._options = options
        self._scheduler = Scheduler(blame="first")
        self._channels: dict[int, Channel] = {}
        self._slabs: dict[int, SlabReader] = {}
        self._ahead = AHEAD
        self.doing = ""  # what a decoder has told last that it does
        for number in range(options.number):
            self._fork(number)

    @property
    def channels(self) -> list[Channel]:
        return [self._server, *self._channels.values()]

    @property
    def capacity(self) -> int:
        """How many sources keep all decoders busy; more once a source has been added that must be fetched."""
        return self._ahead * self._options.number

    @property
    def unfinished(self) -> bool:
        """Is there a source whose end has not come?"""
        return self._scheduler.unfinished

    @property
    def num_sources(self) -> int:
        """Sources whose end has not come."""
        return self._scheduler.waiting + sum(len(self._scheduler.leases(each)) for each in range(self._options.number))

    def add(self, source: Source) -> Iterator[Found]:
        if is_url(source.path) and self._ahead < AHEAD_OF_URLS:
            more, self._ahead = AHEAD_OF_URLS - self._ahead, AHEAD_OF_URLS
            for number in list(self._channels):  # one that has ended gets its room when it is forked again
                yield from self._act(self._scheduler.ready(number, more))
        yield from self._act(self._scheduler.add([source]))

    def receive(self, channel: Channel) -> Iterator[Found]:
        """What a channel has. Windows are valid until the next one is asked for."""
        if channel is self._server:
            yield from self._exited()
        for number, each in list(self._channels.items()):
            if each is channel:
                yield from self._received(number)

    def close(self) -> None:
        """End all decoders; those that are at work are told to clear up by the server."""
        for channel in self._channels.values():
            channel.close()
        self._server.close()

    def _exited(self) -> Iterator[Found]:
        try:
            exited: Exited = self._server.receive()
        except (EOFError, OSError) as error:
            raise WorkerError("the process that decoders are forked from is gone") from error
        number = exited.decoder
        while number in self._channels and self._channels[number].poll():  # what it sent before
            yield from self._received(number)
        if number in self._channels:
            self._channels.pop(number).close()
        for source in self._scheduler.leases(number)[:1]:
            yield source, Retried()
        yield from self._act(self._scheduler.death(number, exited.reason))

    def _received(self, number: int) -> Iterator[Found]:
        try:
            message = self._channels[number].receive()
        except (EOFError, OSError):  # the server will say why
            self._channels.pop(number).close()
            return
        yield from self._taken(number, message)

    def _taken(self, number: int, message: Any) -> Iterator[Found]:
        slabs = self._slabs[number]
        if isinstance(message, tuple):
            slabs.add(*message)
        elif isinstance(message, DroppedSlab):
            slabs.drop(message)
        elif isinstance(message, Doing):
            self.doing = message.what
        elif isinstance(message, Decoded):
            source = self._scheduler.leases(number)[0]
            if message.trace:
                log.error("%s: unexpected\n%s", source.path, message.trace)
            yield source, Ended(message.error, message.attempt)
            yield from self._act(self._scheduler.outcome(number, source))
            yield from self._act(self._scheduler.ready(number))
        elif isinstance(message, SharedWindows):
            yield self._scheduler.leases(number)[0], slabs.windows(message)
            self._send(number, Return(message.slab))
        else:
            yield self._scheduler.leases(number)[0], message

    def _act(self, actions: Iterable[Action]) -> Iterator[Found]:
        for action in actions:
            if isinstance(action, Give):
                self._send(action.member, action.source)
            elif isinstance(action, Restart):
                self._fork(action.member)
            elif isinstance(action, Fail):
                yield action.source, Ended(f"{action.reason}; tried twice")
            elif isinstance(action, Abort):
                raise WorkerError(f"decoders keep ending: {action.reason}")

    def _fork(self, number: int) -> None:
        ours, theirs = Channel.pair()
        options = self._options
        fork = Fork(number, self._extractor, options.timeout, options.memory, options.protocols, options.headers_only)
        self._server.send(fork, [theirs.fileno()])
        theirs.close()
        self._channels[number], self._slabs[number] = ours, SlabReader()
        for action in self._scheduler.ready(number, self._ahead):
            assert isinstance(action, Give)
            self._send(action.member, action.source)

    def _send(self, number: int, message: object) -> None:
        try:
            if number in self._channels:
                self._channels[number].send(message)
        except OSError:
            pass  # it has ended, and the server will say so
