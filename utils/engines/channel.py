"""Messages and file descriptors between processes of one machine, over a Unix socket."""

from __future__ import annotations

import pickle
import socket
import struct
import threading
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

HEADER = struct.Struct("!I")  # length of the message that follows


class Channel:
    """One end of a pair. Its messages are pickled, so both ends must trust each other."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()  # threads may log

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        ours, theirs = socket.socketpair()
        return cls(ours), cls(theirs)

    @classmethod
    def from_descriptor(cls, descriptor: int) -> Channel:
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        """Raises OSError if the other end is closed."""
        payload = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        content = HEADER.pack(len(payload)) + payload
        with self._sending:
            sent = socket.send_fds(self._socket, [content], descriptors) if descriptors else 0
            self._socket.sendall(memoryview(content)[sent:])

    def receive(self) -> Any:
        """The next message; where a descriptor came with it, a pair of both. Raises EOFError if there is none."""
        header, descriptors, _, _ = socket.recv_fds(self._socket, HEADER.size, 1)
        if not header:
            raise EOFError
        header += self._exactly(HEADER.size - len(header))
        message = pickle.loads(self._exactly(*HEADER.unpack(header)))
        return (message, descriptors[0]) if descriptors else message

    def poll(self, seconds: float | None = 0.0) -> bool:
        """Can `receive` be called without waiting?"""
        return bool(readable([self], seconds))

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            part = self._socket.recv(length - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)


def readable(channels: Sequence[Channel], seconds: float | None = None) -> list[Channel]:
    """Those that have a message or have been closed; None waits until there is one."""
    found: list[Any] = wait(channels, seconds)  # type: ignore[arg-type]  # anything with a descriptor will do
    return found
