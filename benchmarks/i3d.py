"""Compare I3D with the plain implementation (benchmarks/plain_i3d.py), both as whole processes.

python -m benchmarks.i3d               rgb; rgb and TV-L1 flow of overlapping stacks; memory by length
python -m benchmarks.i3d rgb memory    some parts
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import corpus
from benchmarks.process import Run, run

PARTS = ("rgb", "flow", "memory")


class Bench:
    """The benchmark's folder, with weights that both sides use."""

    def __init__(self, folder: Path) -> None:
        import torch

        from torch_zoo.models.i3d.network import I3D
        from torch_zoo.utils.checkpoints import random_weights

        self.folder = folder
        for stream, channels in (("rgb", 3), ("flow", 2)):
            network = I3D(channels)
            network.load_state_dict(random_weights(network.state_dict(), seed=0), strict=False)
            torch.save(network.state_dict(), folder / f"{stream}.pth")

    def ours(self, paths: Sequence[Path], stack_size: int, step_size: int, *options: str) -> Run:
        common = "feature_type=i3d device=cpu overwrite=true on_extraction=save_numpy flow_type=tvl1".split()
        stacks = (f"stack_size={stack_size}", f"step_size={step_size}")
        output = self.folder / f"{stack_size}_{step_size}"  # an output folder holds features of one configuration
        own = (f"--checkpoint={self.folder}/{{stream}}.pth", f"--output_path={output}")
        return run([sys.executable, "main.py", *common, *stacks, *options, *own, "--video_paths", *paths])

    def plain(self, streams: str, paths: Sequence[Path], stack_size: int, step_size: int) -> Run:
        output = self.folder / "plain"
        output.mkdir(exist_ok=True)
        module = (sys.executable, "-m", "benchmarks.plain_i3d")
        return run([*module, streams, stack_size, step_size, self.folder, output, *paths])

    def measure_rgb(self) -> None:
        paths = corpus.clips(self.folder, 3)
        self._compare("rgb, 64-frame stacks", "rgb", paths, 64, 64)

    def measure_flow(self) -> None:
        path = corpus.long_file(self.folder, 2)
        self._compare("rgb + TV-L1, 16-frame stacks every 4", "rgb+flow", [path], 16, 4)

    def measure_memory(self) -> None:
        """Peak memory of all processes, for a file and for one six times as long."""
        peaks = []
        for minutes in (1, 6):
            path = corpus.long_file(self.folder, 60 * minutes)
            run_ = self.ours([path], 16, 160, "streams=rgb")
            peaks.append(run_.peak_mb)
            print(f"{minutes} min, every tenth stack: {run_.seconds:.1f} s, peak {run_.peak_mb:.0f} MB")
        print(f"six times the length: {peaks[1] - peaks[0]:+.0f} MB")

    def _compare(self, what: str, streams: str, paths: Sequence[Path], stack_size: int, step_size: int) -> None:
        option = () if "+" in streams else (f"streams={streams}",)
        first = self.ours(paths, stack_size, step_size, *option)
        plain = self.plain(streams, paths, stack_size, step_size)
        ours = max(first, self.ours(paths, stack_size, step_size, *option), key=lambda each: each.seconds)
        ratio = plain.seconds / ours.seconds
        print(f"{what}: plain {plain.seconds:.1f} s, ours {ours.seconds:.1f} s, ratio {ratio:.2f}")
        for stream in streams.split("+"):
            self._check(stream, paths, self.folder / f"{stack_size}_{step_size}" / "i3d")

    def _check(self, stream: str, paths: Sequence[Path], output: Path) -> None:
        worst = 0.0
        for path in paths:
            ours = np.load(output / f"{path.stem}_{stream}.npy")
            plain = np.load(self.folder / "plain" / f"{path.stem}_{stream}.npy")
            worst = max(worst, float(np.abs(ours - plain).max() / np.abs(plain).max()))
        print(f"  {stream}: features differ by at most {worst:.1e} of their scale")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for part in arguments.parts or PARTS:
            getattr(bench, f"measure_{part}")()


if __name__ == "__main__":
    main()
