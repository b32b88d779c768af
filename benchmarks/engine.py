"""What the engine itself costs: the driver's decisions and memory, and how throughput grows with the workers.

    python -m benchmarks.engine [--ray] [--sources 2000]

The first table needs no worker: messages of 64 imaginary ones go through driver and scheduler. In the second, the
network sleeps and windows are trivial, so that workers do not compete for this machine's cores, and what is missing to
an efficiency of 1 is the engine's. `--ray` measures engine=ray on a cluster of its own, beside engine=local.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sleeper import Sleeper, Whose
from torch_zoo.utils.engines.driver import Driver
from torch_zoo.utils.engines.engine import Engine
from torch_zoo.utils.engines.local import Local
from torch_zoo.utils.engines.ray import Ray
from torch_zoo.utils.engines.worker import Loaded, SourceRequest
from torch_zoo.utils.types import Outcome, Source, no_op

MEMBERS, ROOM = 64, 8
RAY_BYTES = 200 << 20  # for its object store, which is not used


class Imaginary:
    """Workers that take what they are given."""

    def __init__(self) -> None:
        self.given: list[tuple[int, Source]] = []

    def start(self, number: int) -> None:
        """There is nothing to start."""

    def send(self, number: int, message: object) -> None:
        if isinstance(message, Source):
            self.given.append((number, message))


def decisions(number: int) -> str:
    """A row: what it takes to hand out so many sources, and to hear of all of them."""
    sources = [Source(f"/data/videos/{index}.mp4", f"{index}") for index in range(number)]
    before, began, events, most = memory_mb(), time.process_time(), 0, 0.0
    workers = Imaginary()
    driver = Driver(workers, ["cuda:0"] * MEMBERS, no_op)
    driver.begin(sources)
    for member in range(MEMBERS):
        for message in (SourceRequest(ROOM), Loaded()):
            list(driver.received(member, message))
    while driver.unfinished:
        given, workers.given = workers.given, []
        for member, source in given:
            list(driver.received(member, SourceRequest(1)))
            list(driver.received(member, Outcome(source, "done")))
            events += 2
        most = max(most, memory_mb()) if events % 65536 < 2 * len(given) else most
    seconds = time.process_time() - began
    return f"| {number:,} | {events / seconds:,.0f} | {1e3 * seconds / number * 1e3:.0f} ms | {most - before:.0f} MB |"


def memory_mb() -> float:
    """Resident memory of this process (Linux)."""
    [line] = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


@dataclass(frozen=True, slots=True)
class Result:
    """Of a run, from when all its workers are at work."""

    rate: float  # sources per second
    driver_seconds: float  # of its CPU per source
    driver_mb: float  # by which it grew


def throughput(engine: Engine, workers: int, number: int, seconds: float) -> Result:
    """Of workers whose network takes so long for a source."""
    sources = [Source(f"{index}", f"{index}") for index in range(number)]
    seen: set[str] = set()
    finished: list[float] = []
    cpu = before = 0.0
    for outcome in engine.run(sources, Sleeper(seconds=seconds), Whose()):
        assert outcome.status == "done", outcome.message
        if len(seen) < workers:
            seen.add(outcome.printed)
            finished, cpu, before = [], time.process_time(), memory_mb()
        finished.append(time.monotonic())
    last = len(finished) - 20 * workers  # the end, when not all have work, does not count
    rate = last / (finished[last] - finished[0])
    return Result(rate, (time.process_time() - cpu) / len(finished), memory_mb() - before)


def table(name: str, engines: Sequence[Engine], number: int, seconds: float) -> None:
    alone = 0.0
    for workers, engine in enumerate(engines, 1):
        result = throughput(engine, workers, number * workers // len(engines), seconds)
        alone = alone or result.rate
        speedup = result.rate / alone
        print(
            f"| {name} | {workers} | {result.rate:.1f} | {speedup:.2f} | {speedup / workers:.2f} "
            f"| {1000 * result.driver_seconds:.2f} s | {result.driver_mb:.1f} MB |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=2000, help="for four workers; fewer for fewer (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=0.025, help="that the network takes for a source (%(default)s)"
    )
    parser.add_argument("--ray", action="store_true", help="measure engine=ray too; needs Ray")
    arguments = parser.parse_args()
    print("| sources | events/s | driver per 1,000 sources | memory on top of the list |\n|---|---|---|---|")
    for number in (100_000, 1_000_000):
        print(decisions(number), flush=True)
    print("\n| engine | workers | sources/s | speedup | efficiency | driver's CPU per 1,000 sources | it grew by |")
    print("|---|---|---|---|---|---|---|")
    counts = range(1, 5)
    local = [Local(device="cpu", device_ids=[0] * workers, num_decoders=1) for workers in counts]
    table("local", local, arguments.sources, arguments.seconds)
    if arguments.ray:
        import ray

        ray.init(num_cpus=4, object_store_memory=RAY_BYTES, include_dashboard=False, log_to_driver=False)
        share = {"num_cpus": 1}
        on_ray = [Ray(num_workers=workers, resources=share, num_decoders=1) for workers in counts]
        table("ray", on_ray, arguments.sources, arguments.seconds)


if __name__ == "__main__":
    main()
