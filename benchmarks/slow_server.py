"""Servers of files on loopback, in processes of their own, with the latency and bandwidth of a network in front."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

from torch_zoo.utils.processes import end_with_parent

CHUNK_BYTES = 1 << 16


@contextmanager
def web_server(folder: Path) -> Iterator[int]:
    """The port of an HTTP server of a folder that knows ranges."""
    with _process(partial(_serve_folder, str(folder))) as port:
        yield port


@contextmanager
def s3_server() -> Iterator[int]:
    """The port of a server of S3's interface, which is empty."""
    with _process(_serve_s3) as port:
        yield port


@contextmanager
def network(port: int, latency: float, bytes_per_second: float = float("inf")) -> Iterator[int]:
    """A port behind which `port` is, as far away as `latency` s of a round trip, with so much bandwidth in all."""
    with _process(partial(_serve_network, port, latency, bytes_per_second)) as near:
        yield near


@contextmanager
def _process(target: Callable[[Connection], None]) -> Iterator[int]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(target, theirs, os.getpid()))
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(target: Callable[[Connection], None], ready: Connection, parent: int) -> None:
    end_with_parent(parent)
    target(ready)


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        with open(self.translate_path(self.path), "rb") as file:
            size = file.seek(0, 2)
            first = int(wanted[1]) if wanted else 0
            last = min(int(wanted[2]), size - 1) if wanted and wanted[2] else size - 1
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(last + 1 - first))
            self.send_header("Accept-Ranges", "bytes")
            if wanted:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            file.seek(first)
            self._copy(file, last + 1 - first)

    def _copy(self, file: BinaryIO, number: int) -> None:
        while number and (part := file.read(min(number, CHUNK_BYTES))):
            self.wfile.write(part)
            number -= len(part)


def _serve_folder(folder: str, ready: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=folder))
    ready.send(server.server_address[1])
    server.serve_forever()


def _serve_s3(ready: Connection) -> None:
    from moto.server import ThreadedMotoServer
    from werkzeug.serving import WSGIRequestHandler

    WSGIRequestHandler.protocol_version = "HTTP/1.1"  # connections are used again, as those to S3 are
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    ready.send(server.get_host_and_port()[1])
    threading.Event().wait()


def _serve_network(port: int, latency: float, bytes_per_second: float, ready: Connection) -> None:
    asyncio.run(_network(port, latency, bytes_per_second, ready))


async def _network(port: int, latency: float, bytes_per_second: float, ready: Connection) -> None:
    free_at = 0.0  # when the line has sent what it was given

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1024)

        async def deliver() -> None:
            while (due := await waiting.get())[1]:
                await asyncio.sleep(due[0] - time.monotonic())
                writer.write(due[1])
                await writer.drain()
            writer.close()

        delivery = asyncio.create_task(deliver())
        nonlocal free_at
        try:
            while part := await reader.read(CHUNK_BYTES):
                free_at = max(free_at, time.monotonic()) + len(part) / bytes_per_second
                await waiting.put((free_at + latency / 2, part))
        except ConnectionError:
            pass
        await waiting.put((0.0, b""))
        await asyncio.gather(delivery, return_exceptions=True)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(latency)  # the handshake
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
