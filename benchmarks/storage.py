"""What reading media from URLs costs: against local files, by latency, by block size, and against FFmpeg's own HTTP.

    python -m benchmarks.storage [clips segments ffmpeg] [--clips 120]

All servers are processes of this machine, behind a line of the given latency (of a round trip) and 100 MB/s. S3 is
moto, which spends some 10 ms of CPU time on a request.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av

from benchmarks import corpus, host
from benchmarks.slow_server import network, s3_server, web_server
from torch_zoo.utils import remote, remote_file
from torch_zoo.utils.media.audio import open_audio
from torch_zoo.utils.remote_file import RemoteObject
from torch_zoo.utils.types import Source

LATENCIES = (0.0, 0.020, 0.100)  # s
BYTES_PER_SECOND = 100e6
BLOCKS = (1 << 18, 1 << 19, 1 << 20, 2 << 20, 4 << 20, 8 << 20)  # bytes
PARTS = ("clips", "segments", "ffmpeg")
LONG_SECONDS = 3600
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}


def clips(folder: Path, number: int, decoders: int) -> None:
    """Rate of the decode stage of VGGish, for whole clips of 10 s."""
    paths = corpus.clips(folder, number)
    extractor, stage = host.CASES["VGGish"]
    local = [Source(str(path), path.stem) for path in paths]
    print("| from | latency | clips/s | local files, just before | CPU per clip | local |\n|---|---|---|---|---|---|")

    def measure(name: str, latency: float, sources: Sequence[Source]) -> None:
        before, now = (host.feed(extractor, stage, each, decoders, folder / "features") for each in (local, sources))
        print(
            f"| {name} | {1000 * latency:.0f} ms | {now.clips_per_second:.1f} | {before.clips_per_second:.1f} "
            f"| {1000 * now.decoder_seconds:.1f} ms | {1000 * before.decoder_seconds:.1f} ms |",
            flush=True,
        )

    for latency in LATENCIES:
        with web_server(folder) as port, network(port, latency, BYTES_PER_SECOND) as near:
            measure("http", latency, [Source(f"http://127.0.0.1:{near}/{path.name}", path.stem) for path in paths])
    for latency in LATENCIES:
        with s3_server() as port, network(port, latency, BYTES_PER_SECOND) as near:
            bucket = _filled_bucket(port, paths)
            os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{near}"  # of the decoders
            measure("s3", latency, [Source(f"{bucket}/{path.name}", path.stem) for path in paths])


def segments(folder: Path) -> None:
    """Segments of 10 s of an hour, by ranges: time per segment and bytes fetched, by size of the blocks."""
    path = corpus.long_file(folder, LONG_SECONDS)
    starts = range(100, LONG_SECONDS - 100, 800)
    print(f"\nsegments of 10 s of a file of {path.stat().st_size / 1e6:.0f} MB\n")
    print("| block | " + " | ".join(f"{1000 * each:.0f} ms" for each in LATENCIES) + " | MB per segment |")
    print("|---|" + "---|" * (len(LATENCIES) + 1))
    for block in BLOCKS:
        seconds, megabytes = [], 0.0
        for latency in LATENCIES:
            with (
                web_server(folder) as port,
                network(port, latency, BYTES_PER_SECOND) as near,
                _blocks(block) as fetched,
            ):
                began = time.monotonic()
                for start in starts:
                    source = Source(f"http://127.0.0.1:{near}/{path.name}", "x", start, start + 10.0)
                    with open_audio(source) as audio:
                        list(audio.blocks)
                seconds.append((time.monotonic() - began) / len(starts))
                megabytes = sum(fetched) / len(starts) / 1e6
        print(f"| {block >> 10} KiB | " + " | ".join(f"{each:.2f} s" for each in seconds) + f" | {megabytes:.1f} |")


@contextmanager
def _blocks(size: int) -> Iterator[list[int]]:
    """Blocks of this size; what is yielded holds the bytes of each that was fetched."""
    fetched: list[int] = []

    def count(self: RemoteObject, start: int, end: int) -> bytes:
        content = fetch(self, start, end)
        fetched.append(len(content))
        return content

    fetch, before = RemoteObject._fetch, remote_file.BLOCK_BYTES
    RemoteObject._fetch, remote_file.BLOCK_BYTES = count, size  # type: ignore[method-assign]
    try:
        yield fetched
    finally:
        RemoteObject._fetch, remote_file.BLOCK_BYTES = fetch, before  # type: ignore[method-assign]


def ffmpeg(folder: Path) -> None:
    """Whole clips one after the other, without prefetching: FFmpeg's HTTP, and ours."""
    paths = corpus.clips(folder, corpus.DIFFERENT_CLIPS)
    print("\n| latency | FFmpeg's HTTP | fetched whole |\n|---|---|---|")
    for latency in LATENCIES:
        with web_server(folder) as port, network(port, latency, BYTES_PER_SECOND) as near:
            urls = [f"http://127.0.0.1:{near}/{path.name}" for path in paths]
            began = time.monotonic()
            for url in urls:
                with av.open(url) as container:
                    for _ in container.decode(container.streams.best("audio")):
                        pass
            theirs = time.monotonic() - began
            began = time.monotonic()
            for url in urls:
                with open_audio(Source(url, "x")) as audio:
                    list(audio.blocks)
            ours = time.monotonic() - began
        print(f"| {1000 * latency:.0f} ms | {theirs / len(urls):.3f} s | {ours / len(urls):.3f} s |", flush=True)


def _filled_bucket(port: int, paths: Sequence[Path]) -> str:
    import s3fs

    os.environ.update(CREDENTIALS)
    s3fs.S3FileSystem.clear_instance_cache()  # the sink's, which knows the previous server
    remote._systems.clear()
    system = s3fs.S3FileSystem(endpoint_url=f"http://127.0.0.1:{port}")
    system.mkdir("clips")
    for path in paths:
        system.pipe_file(f"clips/{path.name}", path.read_bytes())
    return "s3://clips"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure (all)")
    parser.add_argument("--clips", type=int, default=120, help="number of 10 s clips (%(default)s)")
    parser.add_argument("--decoders", type=int, default=1, help="decoder processes (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for part in arguments.parts or PARTS:
            if part == "clips":
                clips(Path(folder), arguments.clips, arguments.decoders)
            else:
                {"segments": segments, "ffmpeg": ffmpeg}[part](Path(folder))


if __name__ == "__main__":
    main()
