"""How many clips per second the host can feed a device, with a network that costs nothing, for 1, 2, ... decoders.

    python -m benchmarks.host [--clips 200]

`CPU` is the decoders' CPU time per clip, also as a multiple of decoding the same clip with FFmpeg (and, for I3D,
resizing it with Pillow) in process. `worker` is the time per clip of the device worker's only thread, also as a
fraction of the decoders' CPU time, which tells how many decoders one worker can keep up with.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from benchmarks import corpus
from torch_zoo.models.flow.estimator import SMALLER_EDGE
from torch_zoo.models.i3d.extractor import I3DExtractor
from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.engines.channel import readable
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions, Decoders
from torch_zoo.utils.engines.pipeline import LONG_SECONDS, Ended, Pipeline
from torch_zoo.utils.media.images import resized_size
from torch_zoo.utils.sinks.files import SaveNumpy
from torch_zoo.utils.types import Extractor, Outcome, Sink, Source, Stage


@dataclass(frozen=True, slots=True)
class Result:
    clips_per_second: float
    decoder_seconds: float  # of CPU per clip
    worker_seconds: float  # of the worker's thread per clip


def free_stage(outputs: Mapping[str, int], batch_size: int) -> Stage:
    """A network whose outputs are zeros, (n, width) each."""
    return Stage(
        lambda batch: lambda: {key: np.zeros((len(batch), width), np.float32) for key, width in outputs.items()},
        batch_size,
    )


CASES: dict[str, tuple[Extractor, Stage]] = {
    "VGGish": (VGGishExtractor(checkpoint="random"), free_stage({"vggish": 128}, 64)),
    "I3D rgb": (I3DExtractor(checkpoint="random", streams="rgb"), free_stage({"rgb": 1024, "rgb_logits": 400}, 1)),
}


def feed(extractor: Extractor, stage: Stage, sources: Sequence[Source], decoders: int, folder: Path) -> Result:
    """Run the sources through decoders and pipeline as a device worker does, after a warm-up."""
    outcomes: list[Outcome] = []
    folder.mkdir(exist_ok=True)
    sink = SaveNumpy(folder=str(folder))
    pipeline = Pipeline(extractor, [stage], None, sink.write, outcomes.append)
    options = DecoderOptions(decoders, timeout=60, memory=None)
    with closing(DecoderServer()) as server, closing(Decoders(server.connect(), extractor, options)) as processes:
        run(pipeline, sink, processes, sources[: 2 * decoders])  # imports and filter tables
        before, thread, began = _children_seconds(server), time.thread_time(), time.monotonic()
        run(pipeline, sink, processes, sources)
        seconds, worker, after = time.monotonic() - began, time.thread_time() - thread, _children_seconds(server)
    assert {outcome.status for outcome in outcomes} == {"done"}, outcomes[0].message
    number = len(sources)
    return Result(number / seconds, (after - before) / number, worker / number)


def run(pipeline: Pipeline, sink: Sink, decoders: Decoders, sources: Iterable[Source]) -> None:
    waiting = iter(sources)
    given = 0
    while given < decoders.capacity:  # which grows with the first URL
        _add(sink, decoders, waiting)
        given += 1
    while decoders.unfinished:
        channels = readable(decoders.channels, 0.0)
        if not channels and not pipeline.settle(more_to_come=True):
            channels = readable(decoders.channels, LONG_SECONDS if pipeline.busy else None)
        for channel in channels:
            for source, event in decoders.receive(channel):
                pipeline.take(source, event)
                if isinstance(event, Ended):
                    _add(sink, decoders, waiting)
    while pipeline.settle(more_to_come=False):
        pass


def _add(sink: Sink, decoders: Decoders, waiting: Iterator[Source]) -> None:
    for source in waiting:
        sink.expect(source)
        list(decoders.add(source))
        return


def _children_seconds(server: DecoderServer) -> float:
    """CPU seconds used by the server's decoders so far (Linux)."""
    ticks = 0
    for task in Path(f"/proc/{server.process_id}/task").iterdir():
        for child in (task / "children").read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def floor(name: str, path: Path) -> float:
    """CPU seconds to decode a clip with FFmpeg in this thread and, for video, to resize its frames with Pillow."""
    began = time.process_time()
    with av.open(str(path)) as container:
        stream = container.streams.best("audio" if name == "VGGish" else "video")
        stream.thread_type = "NONE"
        for frame in container.decode(stream):
            if name != "VGGish":
                image = np.asarray(frame.to_ndarray(format="rgb24"))
                size = resized_size(frame.width, frame.height, SMALLER_EDGE)
                Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200, help="number of 10 s clips (%(default)s); a tenth for I3D")
    parser.add_argument("--decoders", type=int, nargs="+", help="numbers of decoders (1, 2, 4, ..., cores)")
    arguments = parser.parse_args()
    counts = arguments.decoders or [2**power for power in range(cpu_cores().bit_length())]
    print("| extractor | decoders | clips/s | speedup | CPU per clip | of FFmpeg's | worker per clip | of CPU |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        paths = corpus.clips(Path(folder), arguments.clips)
        for name, (extractor, stage) in CASES.items():
            chosen = paths if name == "VGGish" else paths[: max(2, len(paths) // 10)]
            sources = [Source(str(path), path.stem) for path in chosen]
            least = statistics.median(floor(name, path) for path in chosen[:9])
            rate = 0.0
            for number in counts:
                result = feed(extractor, stage, sources, number, Path(folder) / "features")
                rate = rate or result.clips_per_second
                print(
                    f"| {name} | {number} | {result.clips_per_second:.1f} | {result.clips_per_second / rate:.2f} "
                    f"| {1000 * result.decoder_seconds:.1f} ms | {result.decoder_seconds / least:.1f} "
                    f"| {1000 * result.worker_seconds:.2f} ms | {result.worker_seconds / result.decoder_seconds:.1%} |",
                    flush=True,
                )
    print(f"\npeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
