"""An HTTP server on loopback that misbehaves as told: `web` holds files and counts what it is asked for."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

PATIENCE_SECONDS = 20  # to wait for other requests


@dataclass
class File:
    """What is served under one path, and what goes wrong; counts of faults go down to 0."""

    content: bytes
    ranges: bool = True  # else the whole file is sent, with status 200
    sized: bool = True  # else neither length nor ranges, as of something made on the fly
    statuses: list[int] = field(default_factory=list)  # of the next answers to GET; then 200 or 206
    drops: int = 0  # answers to GET that break off after half of their bytes
    after: int = 0  # files, this one included, that must have been asked for before there is an answer
    stalls: bool = False  # no byte comes after the first half
    bytes_per_second: float | None = None
    etag: str = "1"


@dataclass
class Web:
    """`web.put("a/b.wav", content)` -> its URL; `asked` are method, path and range of all requests."""

    address: str = ""
    files: dict[str, File] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    handler: type[BaseHTTPRequestHandler] = BaseHTTPRequestHandler

    def put(self, name: str, content: bytes, **faults: object) -> str:
        self.files["/" + name] = File(content, **faults)  # type: ignore[arg-type]
        return f"{self.address}/{name}"


@pytest.fixture
def web() -> Iterator[Web]:
    held = Web()
    held.handler = type("Handler", (_Handler,), {"web": held})
    server = ThreadingHTTPServer(("127.0.0.1", 0), held.handler)
    server.daemon_threads = True
    held.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield held
    server.shutdown()
    server.server_close()


class _Handler(BaseHTTPRequestHandler):
    web: Web
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, with_body: bool) -> None:
        path, wanted = unquote(self.path.split("?")[0]), self.headers.get("Range", "")
        self.web.asked.append((self.command, path, wanted))
        file = self.web.files.get(path)
        end = time.monotonic() + PATIENCE_SECONDS
        while file and len({path for _, path, _ in [*self.web.asked]}) < file.after and time.monotonic() < end:
            time.sleep(0.01)
        status = 404 if file is None else file.statuses.pop(0) if with_body and file.statuses else 200
        if file is None or status != 200:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content, span = file.content, re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
        if span and file.ranges and file.sized:
            first, last = int(span[1]), min(int(span[2] or len(content)), len(content) - 1)
            self.send_response(206 if first < len(content) else 416)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            content = content[first : last + 1]
        else:
            self.send_response(200)
        self.send_header("ETag", f'"{file.etag}"')
        if file.sized:
            self.send_header("Content-Length", str(len(content)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if with_body:
            self._send(file, content)

    def _send(self, file: File, content: bytes) -> None:
        half = len(content) // 2
        if file.drops or file.stalls:
            self.wfile.write(content[:half])
            if file.stalls:
                time.sleep(60)
            file.drops -= 1
            self.close_connection = True
            self.connection.shutdown(2)
        elif file.bytes_per_second:
            step = max(1, int(file.bytes_per_second / 20))
            for first in range(0, len(content), step):
                self.wfile.write(content[first : first + step])
                time.sleep(0.05)
        else:
            self.wfile.write(content)
