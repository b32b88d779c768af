"""Decoder processes that crash, hang or hoard: their source fails, and nothing else notices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from actors import Doubler, Tell, value
from command import ROOT, wait_until

from torch_zoo.utils.engines import slabs
from torch_zoo.utils.engines.channel import readable
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions, Decoders
from torch_zoo.utils.engines.local import Local
from torch_zoo.utils.engines.pipeline import Ended
from torch_zoo.utils.engines.slabs import DroppedSlab, NewSlab, SharedWindows, SlabReader, SlabWriter
from torch_zoo.utils.types import Outcome, Source, Windows

REASONS = {
    "kill": "its decoder was killed by SIGKILL, perhaps because memory ran out; tried twice",
    "segfault": "its decoder was killed by SIGSEGV; tried twice",
    "abort": "its decoder was killed by SIGABRT; tried twice",
    "exit": "its decoder ended with exit code 5; tried twice",
    "hang": "no progress for 2 s (timeout=2); tried twice",
    "stop": "no progress for 2 s (timeout=2); tried twice",
}
GOOD = [f"good {number}" for number in range(10)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    paths = [*GOOD[:4], *(f"{kind} x" for kind in REASONS), *GOOD[4:]]
    sources = [Source(path, path.replace(" ", "_")) for path in paths]
    engine = Local(device="cpu", num_decoders=2, timeout=2)
    found = list(engine.run(sources, Doubler(markers=str(tmp_path_factory.mktemp("markers"))), Tell()))
    assert sorted(outcome.source.path for outcome in found) == sorted(paths)
    return {outcome.source.path: outcome for outcome in found}


@pytest.mark.parametrize("kind", REASONS)
def test_a_decoder_that_ends_costs_its_source_only(kind: str, outcomes: dict[str, Outcome]) -> None:
    failed = outcomes[f"{kind} x"]
    assert (failed.status, failed.message) == ("failed", REASONS[kind])
    assert not failed.attempt  # it may pass


def test_the_worker_never_notices(outcomes: dict[str, Outcome]) -> None:
    done = [outcomes[path] for path in GOOD]
    assert len({outcome.printed.split()[0] for outcome in done}) == 1  # one process wrote them all
    for outcome in done:
        assert outcome.printed.partition(" ")[2] == str([[2 * value(outcome.source)] * 2] * 3)


def test_a_decoder_that_wants_too_much_memory_is_stopped(tmp_path: Path) -> None:
    engine = Local(device="cpu", num_decoders=1, timeout=0, decoder_memory=1_500_000_000)
    sources = [Source("hoard x", "x"), Source("good 0", "good")]
    found = {outcome.source.name: outcome for outcome in engine.run(sources, Doubler(markers=str(tmp_path)), Tell())}
    assert found["x"].message == "its decoder ran out of memory (decoder_memory); tried twice"
    assert found["good"].status == "done"


def test_slow_progress_is_progress(tmp_path: Path) -> None:
    engine = Local(device="cpu", num_decoders=1, timeout=1.0)
    [outcome] = engine.run([Source("slow x", "x")], Doubler(markers=str(tmp_path)), Tell())
    assert outcome.status == "done"


@pytest.fixture
def server() -> Iterator[DecoderServer]:
    with closing(DecoderServer()) as running:
        yield running


def descendants(process: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()[1:]]
    children = [child for child, parent in parents if parent == process]
    return children + [each for child in children for each in descendants(child)]


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_decoder_that_ended_is_forked_again_for_the_first_url(server: DecoderServer, tmp_path: Path) -> None:
    with closing(Decoders(server.connect(), Doubler(markers=str(tmp_path)), DecoderOptions(1, 10, None))) as decoders:
        for path in ("exit x", "memory://good"):
            list(decoders.add(Source(path, path)))
            while decoders.unfinished:
                channels = readable(decoders.channels, 10)
                assert channels, f"{path} is with nobody"
                for channel in channels:
                    list(decoders.receive(channel))


OWNER = """
import sys, time
sys.path[:0] = {path!r}
from actors import Doubler
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions, Decoders
from torch_zoo.utils.types import Source
server = DecoderServer()
decoders = Decoders(server.connect(), Doubler(markers="."), DecoderOptions(2, 0, None))
for kind in ("hang", "stop"):
    list(decoders.add(Source(kind + " x", kind)))
print("started", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends decoders with their parents on Linux only")
@pytest.mark.parametrize("victim", ["owner", "server"])
def test_no_process_outlives_whoever_started_it(victim: str) -> None:
    code = OWNER.format(path=[path for path in sys.path if path])
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == "started\n"
        assert wait_until(lambda: len(descendants(owner.pid)) == 3, seconds=30)
        started = descendants(owner.pid)
        os.kill(owner.pid if victim == "owner" else started[0], signal.SIGKILL)
        assert wait_until(lambda: not any(map(is_alive, started)), seconds=10)
        owner.kill()


STALLED = """
import os, sys, ffmpeg
from torch_zoo.utils.media.ffmpeg_cli import running
with running(ffmpeg.input(sys.argv[1], format="wav").output("pipe:", format="au")):
    print("started", flush=True)
    os.read(0, 1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends ffmpeg with its parent on Linux only")
def test_a_stalled_ffmpeg_does_not_outlive_its_decoder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "nobody_writes.wav")
    command = [sys.executable, "-c", STALLED, str(tmp_path / "nobody_writes.wav")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == "started\n"
        [program] = descendants(owner.pid)
        owner.kill()
        assert wait_until(lambda: not is_alive(program), seconds=10)


def test_decoders_have_imported_neither_torch_nor_omegaconf(server: DecoderServer) -> None:
    with closing(Decoders(server.connect(), Doubler(markers=""), DecoderOptions(1, 0, None))) as decoders:
        list(decoders.add(Source("imported x", "x")))
        [event] = [event for _, event in received(decoders) if isinstance(event, Ended)]
    assert "numpy" in event.error.split()
    assert not {"torch", "omegaconf", "hydra", "cv2"} & set(event.error.split())


def received(decoders: Decoders) -> Iterator[tuple[Source, object]]:
    while decoders.unfinished:
        for channel in decoders.channels:
            if channel.poll(0.05):
                yield from decoders.receive(channel)


def shared(sizes: list[tuple[int, ...]]) -> tuple[list[np.ndarray], list[np.ndarray], int, int]:
    """Send windows of these shapes through slabs; what went in, what came out, slabs made, and the most bytes held."""
    reader, sent, out, made, most = SlabReader(), [], [], 0, 0
    held: dict[int, int] = {}

    def send(message: object, descriptors: list[int] = []) -> None:  # noqa: B006
        nonlocal made, most
        if isinstance(message, NewSlab):
            made += 1
            held[message.slab] = os.fstat(descriptors[0]).st_size
            most = max(most, sum(held.values()))
            reader.add(message, os.dup(descriptors[0]))
        elif isinstance(message, DroppedSlab):
            del held[message.slab]
            reader.drop(message)
        else:
            assert isinstance(message, SharedWindows)
            sent.append(message.slab)
            out.extend(reader.windows(message).data.copy())

    writer = SlabWriter(send, lambda: sent.pop(0))
    data = []
    for shape in sizes:
        windows = np.random.default_rng(len(data)).integers(0, 255, shape).astype(np.uint8)
        data.extend(windows)
        writer.write(Windows(windows, np.zeros((len(windows), 2))))
    writer.flush()
    return data, out, made, most


@pytest.mark.parametrize(
    "sizes",
    [
        [(3, 100), (1000, 100), (0, 100), (7, 100)],
        [(50_000, 100)],
        [(1, 5 << 20)] * 8,
        [(2, 100), (2, 200), (2, 100)],
        [(1, 100)] * 3 + [(1, 6 << 20)] * 3 + [(1, 20 << 20)] * 4,
    ],
)
def test_windows_come_out_of_shared_memory_as_they_went_in(sizes: list[tuple[int, ...]]) -> None:
    data, out, made, most = shared(sizes)
    assert len(data) == len(out)
    assert all(np.array_equal(a, b) for a, b in zip(data, out, strict=True))
    largest = max(shape[1] for shape in sizes)
    assert most <= max(slabs.DECODER_BYTES, slabs.FEWEST_SLABS * largest)
    assert made <= slabs.DECODER_BYTES // slabs.SLAB_BYTES + slabs.FEWEST_SLABS
