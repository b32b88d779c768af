"""Compare Torch Zoo with the plain loop (ffmpeg to WAV, then torchvggish, file by file).

python -m benchmarks.bench                 all parts, about ten minutes on two cores
python -m benchmarks.bench clips startup   some parts: clips network startup workers resume hour
python -m benchmarks.bench --json out.json

In `clips`, ours runs before and after the plain loop, and the slower run is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks import corpus, parts
from benchmarks.process import Run, run

ROOT = Path(__file__).parents[1]
PACKAGES = ("torch", "numpy", "av", "resampy", "torchvggish")


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    plain: str
    ours: str
    ratio: str
    target: str


class Bench:
    """The benchmark's folder, with weights that both sides use."""

    def __init__(self, folder: Path, clips: int) -> None:
        import torch

        from torch_zoo.models.vggish.network import VGGish
        from torch_zoo.utils.checkpoints import random_weights

        self.folder, self.clips = folder, clips
        self.weights = folder / "weights.pth"
        with torch.device("meta"):
            shapes = VGGish().state_dict()
        torch.save(random_weights(shapes, seed=0), self.weights)

    def ours(self, paths: Sequence[Path], *options: str, cores: set[int] | None = None) -> Run:
        listed = self.folder / "list.txt"
        listed.write_text("\n".join(map(str, paths)))
        common = "feature_type=vggish device=cpu overwrite=true on_extraction=save_numpy".split()
        own = [f"checkpoint={self.weights}", f"file_with_video_paths={listed}", f"output_path={self.folder}"]
        return run([sys.executable, "main.py", *common, *own, *options], cores=cores)

    def plain(self, paths: Sequence[Path]) -> Run:
        output = self.folder / "plain"
        output.mkdir(exist_ok=True)
        return run([sys.executable, "-W", "ignore", "-m", "benchmarks.plain_loop", self.weights, output, *paths])

    def measure_clips(self) -> list[Row]:
        """Whole processes, and the warm rate from the difference between a long and a short run."""
        paths = corpus.clips(self.folder, self.clips)
        few = paths[: self.clips // 10]
        runs = [(each(few), each(paths)) for each in (self.ours, self.plain, self.ours)]
        self._compare(paths)
        (few_plain, plain), (few_ours, ours) = runs[1], max(runs[0], runs[2], key=lambda pair: pair[1].seconds)
        warm = [(len(paths) - len(few)) / (b.seconds - a.seconds) for a, b in ((few_plain, plain), (few_ours, ours))]
        return [
            Row(
                f"{len(paths)} clips of 10 s, whole process",
                f"{plain.seconds:.1f} s",
                f"{ours.seconds:.1f} s",
                f"1/{plain.seconds / ours.seconds:.1f}",
                "1/6",
            ),
            Row("the same when warm", f"{warm[0]:.1f}/s", f"{warm[1]:.1f}/s", f"{warm[1] / warm[0]:.1f}", "24/s or 8"),
        ]

    def measure_network(self) -> list[Row]:
        rates = parts.network_rates(batch_size=64)
        reference = rates["channels_last"]
        return [
            Row(f"network, batch 64, {name}", f"{reference:.0f}/s", f"{rate:.0f}/s", f"{rate / reference:.2f}", target)
            for name, rate, target in (
                ("fp32 (plain: channels_last)", rates["fp32"], "1.41 (290 where that makes 205)"),
                ("bf16", rates["bf16"], "1.95 (400 where that makes 205)"),
            )
        ]

    def measure_startup(self) -> list[Row]:
        [clip] = corpus.clips(self.folder, 1)
        bare, first = [], []
        for _ in range(5):
            bare.append(run([sys.executable, "-c", "import torch"]).seconds)
            first.append(self.ours([clip], "on_extraction=print").first_line)
        extra = statistics.median(first) - statistics.median(bare)
        return [
            Row(
                "command to first features (plain: import torch)",
                f"{statistics.median(bare):.2f} s",
                f"{statistics.median(first):.2f} s",
                f"+{extra:.2f} s",
                "+1.5 s",
            )
        ]

    def measure_workers(self) -> list[Row]:
        """Two workers on two cores against one worker on one core, when warm."""
        paths = corpus.clips(self.folder, self.clips // 2)
        first, second, *_ = sorted(os.sched_getaffinity(0))
        rates = []
        for ids, cores in (("[0]", {first}), ("[0,1]", {first, second})):
            few, many = (self.ours(each, f"device_ids={ids}", cores=cores) for each in (paths[:12], paths))
            rates.append((len(paths) - 12) / (many.seconds - few.seconds))
        one, two = rates
        return [Row("2 workers on 2 cores (plain: 1 on 1)", f"{one:.1f}/s", f"{two:.1f}/s", f"{two / one:.2f}", "1.8")]

    def measure_resume(self) -> list[Row]:
        number = 100_000
        folder = self.folder / "finished"
        (folder / "vggish").mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{index:06d}.mp4" for index in range(number)]
        features = np.zeros((10, 128), np.float32)
        for path in paths:
            path.touch()
            np.save(folder / "vggish" / f"{path.stem}_vggish.npy", features)
        resume = ("overwrite=false", f"output_path={folder}")
        self.ours(paths, "adopt=true", *resume)  # records what the outputs were made from
        few, many = (self.ours(each, *resume).seconds for each in (paths[:10], paths))
        return [Row(f"resume over {number} finished sources", "", f"{number / (many - few):.0f}/s", "", "10000/s")]

    def measure_hour(self) -> list[Row]:
        rows = []
        hour = corpus.long_file(self.folder, 3600)
        plain, ours = self.plain([hour]), self.ours([hour])
        four = self.ours([corpus.long_file(self.folder, 4 * 3600)])
        rows.append(
            Row(
                "one file of one hour",
                f"{plain.seconds:.1f} s",
                f"{ours.seconds:.1f} s",
                f"1/{plain.seconds / ours.seconds:.1f}",
                "1/6",
            )
        )
        rows.append(
            Row("peak memory of all processes", f"{plain.peak_mb:.0f} MB", f"{ours.peak_mb:.0f} MB", "", "1500 MB")
        )
        rows.append(Row("four hours: additional memory", "", f"{four.peak_mb - ours.peak_mb:+.0f} MB", "", "+100 MB"))
        return rows

    def _compare(self, paths: Sequence[Path]) -> None:
        """Check that both sides compute the same, with today's resampy on our side too."""
        self.ours(paths[:4], "resampler=resampy", f"output_path={self.folder / 'parity'}")
        for path in paths[:4]:
            ours = np.load(self.folder / "parity" / "vggish" / f"{path.stem}_vggish.npy")
            theirs = np.load(self.folder / "plain" / f"{path.stem}.npy")
            difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
            print(f"{path.name}: largest difference {difference:.1e} of the scale", file=sys.stderr)
            if difference > 1e-5:
                raise SystemExit("the two sides do not compute the same")


def main() -> None:
    measures: dict[str, Callable[[Bench], list[Row]]] = {
        name.removeprefix("measure_"): getattr(Bench, name) for name in vars(Bench) if name.startswith("measure_")
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *measures], default=[])
    parser.add_argument("--clips", type=int, default=240)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    os.chdir(ROOT)
    machine = (
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, "
        + ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    )
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.clips)
        for name in arguments.parts or measures:
            began = time.monotonic()
            rows += measures[name](bench)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(f"{machine}\n\n| what | plain | ours | ratio | target |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(asdict(row).values())} |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=1))


if __name__ == "__main__":
    main()
