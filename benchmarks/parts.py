"""The cost of each step on one core: python -m benchmarks.parts [clip.mp4]."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import corpus
from torch_zoo.models.vggish import logmel
from torch_zoo.utils.media.audio import mono, open_audio
from torch_zoo.utils.media.resampling import Resampler, resample
from torch_zoo.utils.types import Source

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
    import torch

    from torch_zoo.models.vggish.cpu import CpuVGGish
    from torch_zoo.models.vggish.network import VGGish

    torch.manual_seed(0)
    batch = np.random.default_rng(0).standard_normal((batch_size, 1, 96, 64)).astype(np.float32)
    examples = torch.from_numpy(batch)
    last = examples.contiguous(memory_format=torch.channels_last)
    network = VGGish().eval().requires_grad_(False)
    torch.set_num_threads(threads)
    with torch.inference_mode():
        times = {"contiguous": best(lambda: network(examples))}
        network = network.to(memory_format=torch.channels_last)
        times["channels_last"] = best(lambda: network(last))
        network = network.to(memory_format=torch.contiguous_format)
    for name, dense_type in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        start = CpuVGGish(network, threads, dense_type)
        times[name] = best(lambda start=start: start(batch)())  # type: ignore[misc]
    return {name: batch_size / seconds for name, seconds in times.items()}


def dsp_milliseconds(path: str) -> dict[str, float]:
    """Milliseconds per clip: decoding, resampling with each filter, log-mel."""

    def decode() -> tuple[int, list[np.ndarray]]:
        with open_audio(Source(path, "clip")) as audio:
            return audio.rate, list(audio.blocks)

    rate, blocks = decode()
    samples = list(mono(blocks))
    costs = {"decode to 16 bits": best(decode), "downmix": best(lambda: list(mono(blocks)))}
    resamplers: tuple[Resampler, ...] = ("resampy_0_2", "resampy", "soxr")
    for name in resamplers:
        costs[f"to 16 kHz, {name}"] = best(lambda name=name: list(resample(samples, rate, 16_000, name)))  # type: ignore[misc]
    at_16_khz = list(resample(samples, rate, 16_000, "resampy_0_2"))
    costs["log-mel"] = best(lambda: list(logmel.examples(at_16_khz, logmel.EXAMPLE_FRAMES)))
    return {name: 1000 * seconds for name, seconds in costs.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = sys.argv[1] if len(sys.argv) > 1 else str(corpus.clips(Path(folder), 1)[0])
        for name, milliseconds in dsp_milliseconds(path).items():
            print(f"{name:28s}{milliseconds:8.2f} ms")
    for name, rate in network_rates(batch_size=64, threads=1).items():
        print(f"network, {name:19s}{rate:8.0f} examples/s")


if __name__ == "__main__":
    main()
