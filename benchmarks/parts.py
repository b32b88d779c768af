"""CPU time of each part on one core, against FFmpeg's own decoding: python -m benchmarks.parts [clip.mp4]."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import av
import numpy as np
from av.stream import Discard
from PIL import Image

from benchmarks import corpus
from torch_zoo.models.vggish import logmel
from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.utils.devices import Precision, cpu_cores
from torch_zoo.utils.media.audio import mono, open_audio
from torch_zoo.utils.media.images import resize, resized_size
from torch_zoo.utils.media.resampling import Resampler, resample
from torch_zoo.utils.media.video import open_video
from torch_zoo.utils.types import Source

if TYPE_CHECKING:
    from torch import nn

FLOOR, OURS = "FFmpeg", "ours"
SMALLER_EDGE = 256
# as in a worker: one thread for products, and memory that is freed is kept
ONE_CORE = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}
REPETITIONS = 7


def best(function: Callable[[], object], repetitions: int = REPETITIONS) -> float:
    """Seconds of the fastest of several calls, after a warm-up call."""
    function()
    times = []
    for _ in range(repetitions):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def network_rates(batch_size: int, threads: int = 2) -> dict[str, float]:
    """Examples per second of the plain network, the same in channels_last, and CpuVGGish in fp32 and bf16."""
    from torch_zoo.models.vggish.cpu import CpuVGGish
    from torch_zoo.models.vggish.network import VGGish

    network = VGGish().eval().requires_grad_(False)
    batch = normal((batch_size, 1, 96, 64))
    times = plain_times(network, batch, threads)
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for name in precisions:
        start = CpuVGGish(network, threads, name)
        times[name] = best(lambda start=start: start(batch)())  # type: ignore[misc]
    return {name: batch_size / seconds for name, seconds in times.items()}


def vggsound_rates(batch_size: int, threads: int = 2) -> dict[str, float]:
    """Windows per second of VGGSound's plain network, the same in channels_last, and the extractor's."""
    from torch_zoo.models.vggsound.extractor import VGGSoundExtractor
    from torch_zoo.models.vggsound.network import VGGSound

    extractor = VGGSoundExtractor(checkpoint="random")
    network = VGGSound(extractor.model, extractor.pooling, classes=309).eval().requires_grad_(False)
    batch = normal((batch_size, 1, 257, 1004))
    times = plain_times(network, batch, threads)
    [stage] = extractor.load("cpu", threads)
    parts = np.split(batch, range(stage.batch_size, batch_size, stage.batch_size))
    times["ours"] = best(lambda: [stage.forward(part)() for part in parts])
    return {name: batch_size / seconds for name, seconds in times.items()}


def normal(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def plain_times(network: nn.Module, batch: np.ndarray, threads: int) -> dict[str, float]:
    """Seconds of a forward pass in each of torch's layouts."""
    import torch

    torch.set_num_threads(threads)
    times = {}
    with torch.inference_mode():
        for name, layout in {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}.items():
            inputs = torch.from_numpy(batch).contiguous(memory_format=layout)
            times[name] = best(partial(network.to(memory_format=layout), inputs))
    network.to(memory_format=torch.contiguous_format)
    return times


def cpu_milliseconds(functions: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """CPU time of a call of each, the median of several; they take turns, for the machine's speed drifts."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for repetition in range(1 + REPETITIONS):
        for name, function in functions.items():
            began = time.process_time()
            function()
            if repetition:
                times[name].append(1000 * (time.process_time() - began))
    return {name: statistics.median(of_one) for name, of_one in times.items()}


def audio_costs(path: str) -> dict[str, float]:
    """Milliseconds for one file: FFmpeg's own decoding, file to log-mel, and the parts of it."""
    source = Source(path, "clip")
    extractor = VGGishExtractor()

    def read() -> tuple[int, list[np.ndarray]]:
        with open_audio(source) as audio:
            return audio.rate, list(audio.blocks)

    rate, blocks = read()
    samples = list(mono(blocks))
    at_16_khz = list(resample(samples, rate, logmel.SAMPLE_RATE, "resampy_0_2"))
    resamplers: tuple[Resampler, ...] = ("resampy_0_2", "resampy", "soxr")
    return cpu_milliseconds(
        {
            FLOOR: lambda: ffmpeg_frames(path, "audio"),
            OURS: lambda: exhaust(extractor.windows(source)),
            "file to 16 bits": read,
            "mean of the channels": lambda: exhaust(mono(blocks)),
            **{
                f"to 16 kHz, {name}": partial(lambda name: exhaust(resample(samples, rate, 16_000, name)), name)
                for name in resamplers
            },
            "log-mel": lambda: exhaust(logmel.examples(at_16_khz, logmel.EXAMPLE_FRAMES)),
        }
    )


def video_costs(path: str) -> dict[str, float]:
    """Milliseconds for one file: FFmpeg's own decoding with Pillow's resizing, and file to resized frames."""
    with open_video(Source(path, "clip")) as video:
        first = Image.fromarray(next(video.frames).image())
    size = resized_size(*first.size, SMALLER_EDGE)

    def floor() -> None:
        for _ in range(ffmpeg_frames(path, "video")):
            first.resize(size, Image.Resampling.BILINEAR)

    def ours() -> None:
        with open_video(Source(path, "clip"), transform=lambda image: resize(image, SMALLER_EDGE)) as video:
            for frame in video.frames:
                frame.image()

    return cpu_milliseconds({FLOOR: floor, OURS: ours})


def ffmpeg_frames(path: str, kind: Literal["audio", "video"]) -> int:
    """Decode the first stream of a kind and count its frames: what nothing built on FFmpeg can undercut."""
    with av.open(path) as container:
        (stream, *_) = getattr(container.streams, kind)
        for other in container.streams:
            other.discard = Discard.default if other is stream else Discard.all
        stream.codec_context.thread_count = 1
        return sum(1 for _ in container.decode(stream))


def exhaust(items: Iterable[object]) -> None:
    """Ask for all of them and keep none."""
    deque(items, maxlen=0)


def main() -> None:
    if not ONE_CORE.items() <= os.environ.items():  # OpenBLAS and the allocator read them when they start
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.parts", *sys.argv[1:]], os.environ | ONE_CORE)
    with tempfile.TemporaryDirectory() as folder:
        clip = sys.argv[1] if len(sys.argv) > 1 else str(corpus.clips(Path(folder), 1)[0])
        costs = audio_costs(clip)
        print(f"{'CPU time, ms':30s}{'FFmpeg':>8s}{'ours':>8s}{'ratio':>8s}")
        print_ratio("file to log-mel", costs)
        if len(sys.argv) == 1:
            for name, path in corpus.sounds(Path(folder)).items():
                print_ratio(f"  {name}", audio_costs(str(path)))
            print(f"file to frames, edge {SMALLER_EDGE} (FFmpeg and Pillow)")
            for name, path in corpus.videos(Path(folder)).items():
                print_ratio(f"  {name}", video_costs(str(path)))
        print("\nparts of the first row")
        for name in list(costs)[2:]:
            print(f"{name:38s}{costs[name]:8.2f}")
    print("\nnetwork, one core")
    for name, rate in network_rates(batch_size=64, threads=1).items():
        print(f"{name:38s}{rate:8.0f} examples/s")
    print("\nVGGSound's network, all cores, batches of 16")
    for name, rate in vggsound_rates(batch_size=16, threads=cpu_cores()).items():
        print(f"{name:38s}{rate:8.1f} windows/s")


def print_ratio(name: str, costs: Mapping[str, float]) -> None:
    print(f"{name:30s}{costs[FLOOR]:8.1f}{costs[OURS]:8.1f}{costs[OURS] / costs[FLOOR]:8.2f}", flush=True)


if __name__ == "__main__":
    main()
