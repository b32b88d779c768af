"""The process that decoders are forked from: light, single-threaded, without torch or CUDA.

One serves all device workers of a machine. It watches its decoders: one that makes no progress is killed, and whoever
asked for a decoder is told how it ended. When the process that asked is gone, its decoders are ended; when this one is
gone, the kernel ends them all.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import subprocess
import sys
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from torch_zoo.utils.engines import decoder
from torch_zoo.utils.engines.channel import Channel
from torch_zoo.utils.media import fetching, protocols
from torch_zoo.utils.processes import KEEP_MEMORY, cause_of_exit, end_with_parent
from torch_zoo.utils.types import Extractor

WATCH_SECONDS = 0.5  # between two looks at the decoders
STALLED_SECONDS = 5.0  # between two looks: this process itself was stopped, so nobody is to blame
STOP_SECONDS = 2.0  # for a decoder to clear up before it is killed


@dataclass(frozen=True, slots=True)
class Client:
    """Sent by the owner of the server, with a channel of its own for a new client."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Client to server, with the decoder's channel: start a decoder."""

    decoder: int  # the client's number for it
    extractor: Extractor
    timeout: float  # s without progress; 0 = never
    memory: int | None  # bytes
    protocols: tuple[str, ...]  # by which media may open other files
    headers_only: bool  # no more is wanted of media


@dataclass(frozen=True, slots=True)
class Exited:
    """Server to client."""

    decoder: int
    reason: str


class DecoderServer:
    """The server as seen by the process that owns it; it ends with `close`, with this object, or with that process."""

    def __init__(self) -> None:
        self._channel, theirs = Channel.pair()
        program = "import sys; sys.path[:] = eval(sys.argv[1]); from torch_zoo.utils.engines import decoder_server; "
        program += "decoder_server.serve(int(sys.argv[2]))"
        arguments = [repr(sys.path), str(theirs.fileno())]
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=2,  # stdout is for features
            pass_fds=[theirs.fileno()],
            env={**os.environ, **KEEP_MEMORY, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        theirs.close()
        self.close = weakref.finalize(self, _end_server, self._channel, self._process)  # the server and its decoders

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def connect(self) -> Channel:
        """A channel for one client, which may be sent to another process. Raises OSError if the server is gone."""
        ours, theirs = Channel.pair()
        self._channel.send(Client(), [theirs.fileno()])
        theirs.close()
        return ours


def _end_server(channel: Channel, process: subprocess.Popen[bytes]) -> None:
    channel.close()
    try:
        process.wait(2 * STOP_SECONDS)
    except subprocess.TimeoutExpired:  # another process, forked from this one, has a copy of the channel
        process.kill()
        process.wait()


@dataclass(eq=False, slots=True)
class _Child:
    """A decoder."""

    client: Channel
    number: int
    process: int
    life: int  # reading it ends when the process does
    pulse: decoder.Pulse
    timeout: float
    beats: int = -1
    since: float = field(default_factory=time.monotonic)  # when the last progress was seen
    reason: str = ""  # why it was killed

    def watch(self, now: float) -> None:
        """Kill it if it makes no progress."""
        working, beats = self.pulse.read()
        if beats != self.beats or not working or not self.timeout:
            self.beats, self.since = beats, now
        elif now - self.since > self.timeout:
            self.reason = f"no progress for {self.timeout:g} s (timeout={self.timeout:g})"
            os.kill(self.process, signal.SIGKILL)

    def cause(self, status: int) -> str:
        exit_code = os.waitstatus_to_exitcode(status)
        if exit_code == decoder.OUT_OF_MEMORY:
            return "its decoder ran out of memory (decoder_memory)"
        return self.reason or f"its decoder {cause_of_exit(exit_code)}"


def serve(descriptor: int) -> None:
    """Entry of the server process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver ends the run
    import torch_zoo.utils.media.audio
    import torch_zoo.utils.media.video  # noqa: F401 - so that forks have them

    gc.freeze()
    _Server(Channel.from_descriptor(descriptor)).run()


class _Server:
    def __init__(self, owner: Channel) -> None:
        self._owner = owner
        self._selector = selectors.DefaultSelector()
        self._selector.register(owner, selectors.EVENT_READ, owner)
        self._children: list[_Child] = []

    def run(self) -> None:
        looked = time.monotonic()
        while True:
            for key, _ in self._selector.select(WATCH_SECONDS if self._children else None):
                if isinstance(key.data, _Child):
                    if key.data in self._children:  # its client may have gone in the same moment, and it with it
                        self._reap(key.data)
                elif not self._serve(key.data):
                    return
            now = time.monotonic()
            if now - looked > STALLED_SECONDS and self._children:
                for child in self._children:
                    child.beats = -1
            looked = now
            for child in self._children:
                child.watch(now)

    def _serve(self, channel: Channel) -> bool:
        """Take a message; False if the owner is gone."""
        try:
            message, descriptor = channel.receive()
        except (EOFError, OSError):
            self._end([child for child in self._children if channel in (child.client, self._owner)])
            self._selector.unregister(channel)
            channel.close()
            return channel is not self._owner
        if isinstance(message, Fork):
            self._fork(channel, message, descriptor)
        else:
            client = Channel.from_descriptor(descriptor)
            self._selector.register(client, selectors.EVENT_READ, client)
        return True

    def _fork(self, client: Channel, request: Fork, descriptor: int) -> None:
        pulse, server = decoder.Pulse(), os.getpid()
        life, held = os.pipe()
        process = os.fork()
        if not process:
            self._become_decoder(request, descriptor, server, pulse, life)
        os.close(held)
        os.close(descriptor)
        child = _Child(client, request.decoder, process, life, pulse, request.timeout)
        self._children.append(child)
        self._selector.register(life, selectors.EVENT_READ, child)

    def _become_decoder(self, request: Fork, descriptor: int, server: int, pulse: decoder.Pulse, life: int) -> NoReturn:
        code = 1
        try:
            end_with_parent(server)
            for key in list(self._selector.get_map().values()):
                os.close(key.fd)  # channels of clients, and the lives of other decoders
            self._selector.close()
            os.close(life)
            protocols.allow(request.protocols)
            fetching.expect(headers_only=request.headers_only)
            decoder.main(Channel.from_descriptor(descriptor), request.extractor, pulse, request.memory)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _reap(self, child: _Child) -> None:
        _, status = os.waitpid(child.process, 0)
        self._forget(child)
        with suppress(OSError):  # the client may be gone
            child.client.send(Exited(child.number, child.cause(status)))

    def _forget(self, child: _Child) -> None:
        self._selector.unregister(child.life)
        os.close(child.life)
        self._children.remove(child)

    def _end(self, children: list[_Child]) -> None:
        """Let them clear up, but not for long."""
        for child in children:
            os.kill(child.process, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        while children:
            if time.monotonic() > end:
                for child in children:
                    os.kill(child.process, signal.SIGKILL)
            for child in [child for child in children if os.waitpid(child.process, os.WNOHANG)[0]]:
                children.remove(child)
                self._forget(child)
            time.sleep(0.005)
