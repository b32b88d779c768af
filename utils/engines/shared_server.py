"""The process that decoders are forked from, for all Python callers in this process."""

from __future__ import annotations

import os
import sys
from threading import Lock

from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.worker_process import interrupt_blocked

_lock = Lock()
_started: dict[object, DecoderServer] = {}  # one at most, by what it has inherited


def shared_server() -> DecoderServer:
    """Started once, and again where it would inherit something else, e.g. after os.chdir.

    The one before ends when no caller holds it anymore.
    """
    inherited = (os.getpid(), os.getcwd(), tuple(sys.path), tuple(os.environ.items()))
    with _lock:
        server = _started.get(inherited)
        if server is None or not server.alive:
            _started.clear()
            with interrupt_blocked():
                server = _started[inherited] = DecoderServer()
        return server
