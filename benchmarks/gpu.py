"""On a CUDA device: VGGish's parity and rate against the limit, whole runs of VGGish and I3D, how busy the device was.

    python -m benchmarks.gpu [--clips 2000]

Meant to take less than ten minutes (it has not been run on a GPU yet); it needs no network access. The tables are for
docs/performance.md. The limit is the rate of a large matrix product in the same precision, measured here, over the
network's 1.728 GFLOP per example.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import get_args

import numpy as np
import torch

from benchmarks import corpus
from benchmarks.parts import best
from benchmarks.process import run
from torch_zoo.models.vggish.network import VGGish
from torch_zoo.utils.checkpoints import random_weights
from torch_zoo.utils.devices import DeviceModel, Precision, batch_that_fits, cpu_cores

FLOP_PER_EXAMPLE = 1.728e9
DEVICE = "cuda:0"
BATCHES = 40


def network(weights: dict[str, torch.Tensor]) -> VGGish:
    with torch.device("meta"):
        built = VGGish()
    built.load_state_dict(weights, assign=True)
    return built.requires_grad_(False)


def product_rate(precision: Precision, side: int = 8192) -> float:
    """FLOP/s of a matrix product in the precision of the most recent DeviceModel."""
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    a, b = (torch.randn(side, side, device=DEVICE, dtype=dtype) for _ in range(2))

    def multiply() -> None:
        for _ in range(5):
            torch.mm(a, b)
        torch.cuda.synchronize()

    return 5 * 2 * side**3 / best(multiply, repetitions=3)


def measure_network(weights: dict[str, torch.Tensor], batch_size: int) -> None:
    batch = np.random.default_rng(0).standard_normal((batch_size, 1, 96, 64)).astype(np.float32)
    with torch.inference_mode():
        exact = network({key: tensor.double() for key, tensor in weights.items()})(
            torch.from_numpy(batch[:16]).double()
        )
    print(f"\nbatch {batch_size}, examples/s")
    print("\n| precision | error / maximum | with copies | network | limit | network / limit |")
    print("|---|---|---|---|---|---|")
    for precision in get_args(Precision):
        start = DeviceModel(network(weights), DEVICE, precision)
        error = np.abs(start(batch[:16])() - exact.numpy()).max() / exact.abs().max().item()

        inputs = torch.from_numpy(batch).to(DEVICE)

        def with_copies(start: DeviceModel = start) -> None:
            for wait in [start(batch) for _ in range(BATCHES)]:
                wait()

        def resident(start: DeviceModel = start, inputs: torch.Tensor = inputs) -> None:
            with torch.inference_mode():
                for _ in range(BATCHES):
                    start.compute(inputs)
                torch.cuda.synchronize()

        copied, rate = (BATCHES * batch_size / best(each, repetitions=3) for each in (with_copies, resident))
        limit = product_rate(precision) / FLOP_PER_EXAMPLE
        print(
            f"| {precision} | {error:.1e} | {copied:.0f} | {rate:.0f} | {limit:.0f} | {rate / limit:.0%} |", flush=True
        )


def measure_runs(folder: Path, weights: Path, clips: int) -> None:
    """Whole runs of the command, by number of decoders: is the device busy?"""
    paths = corpus.clips(folder, clips)
    few = paths[: clips // 10]
    print("\n| extractor | precision | decoders | clips/s once warm | device busy |\n|---|---|---|---|---|")
    cores = cpu_cores()
    cases = [
        ("vggish", "", "fp32", 1, sorted({1, max(1, cores // 2), cores})),
        ("vggish", "", "bf16", 1, [cores]),
        ("i3d", "streams=rgb", "fp32", 20, [cores]),
        ("i3d", "flow_type=raft extraction_fps=5", "fp32", 100, [cores]),
    ]
    for feature_type, options, precision, divisor, numbers in cases:
        for decoders in numbers:
            seconds = []
            for each in (few[: -(-len(few) // divisor)], paths[: len(paths) // divisor]):
                listed = folder / "list.txt"
                listed.write_text("\n".join(map(str, each)))
                checkpoint = weights if feature_type == "vggish" else "random"
                flow = "flow_checkpoint=random" if "flow" in options else ""
                command = f"feature_type={feature_type} device=cuda device_ids=[0] overwrite=true {options} {flow}"
                own = [f"checkpoint={checkpoint}", f"file_with_video_paths={listed}", f"precision={precision}"]
                output = [f"output_path={folder / precision}", "on_extraction=save_numpy", f"num_decoders={decoders}"]
                with utilization() as shares:
                    seconds.append(run([sys.executable, "main.py", *command.split(), *own, *output]).seconds)
            at_work = [index for index, share in enumerate(shares) if share > 0]
            working = shares[at_work[0] : at_work[-1] + 1] if at_work else [0]  # without start and end
            rate = (len(paths) // divisor - len(few) // divisor) / (seconds[1] - seconds[0])
            name = f"{feature_type} {options}".strip()
            print(f"| {name} | {precision} | {decoders} | {rate:.1f} | {mean(working):.0f} % |", flush=True)


@contextmanager
def utilization() -> Iterator[list[int]]:
    """GPU utilization in percent, every 200 ms while the block runs."""
    percent: list[int] = []
    command = "nvidia-smi -i 0 --query-gpu=utilization.gpu --format=csv,noheader,nounits -lms 200"
    with subprocess.Popen(command.split(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout
        reader = threading.Thread(target=lambda: percent.extend(int(line) for line in lines if line.strip().isdigit()))
        reader.start()
        try:
            yield percent
        finally:
            process.terminate()
            reader.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2000)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no CUDA device found")
    began = time.monotonic()
    with torch.device("meta"):
        shapes = VGGish().state_dict()
    weights = random_weights(shapes, seed=0)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    measure_network(weights, batch_that_fits(DEVICE, 8 << 20, most=512))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(weights, path)
        measure_runs(Path(folder), path, arguments.clips)
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
