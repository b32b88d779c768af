"""Many sources, long ones and bad ones: how a run's memory and its driver's time grow with them.

    python -m benchmarks.load [sources listed hours failing]

`sources`: 100,000 files of 0.1 s. `listed`: 1,000,000 files whose features are all there. `hours`: one file of ten
hours. `failing`: 64 files in a row that are no media, before 1,000 good ones. Each is a run of the command, with an
extractor of next to no cost, two decoders, and .npy files as outputs; memory is the resident size of each process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from torch_zoo.utils.sinks import origins
from torch_zoo.utils.types import Source

ROOT = Path(__file__).parents[1]
RATE = 8000  # Hz
LINKS = 50_000  # to one file, of which a file system may allow no more than 65,000
SAMPLING_SECONDS = 1.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """Of a run at some moment."""

    done: int  # sources, judged by the files in the folder
    driver: float  # resident MB
    worker: float
    decoder: float  # the largest
    driver_seconds: float  # of CPU

    def __str__(self) -> str:
        memory = f"driver {self.driver:.0f} MB, worker {self.worker:.0f} MB, decoder {self.decoder:.0f} MB"
        return f"{self.done:,} done: {memory}"


@dataclass(frozen=True, slots=True)
class Run:
    summary: str
    samples: Sequence[Sample]


def run(media: Path, output: Path) -> Run:
    """The command over a list of media."""
    options = (
        "feature_type=levels on_extraction=save_numpy keys=[levels] device=cpu num_decoders=2 report=never".split()
    )
    paths = (f"file_with_video_paths={media}", f"output_path={output}")
    command = [sys.executable, "main.py", "--config-dir", "benchmarks/configs", *options, *paths]
    samples = []
    with tempfile.TemporaryFile("w+") as log:
        with subprocess.Popen(command, cwd=ROOT, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
            while process.poll() is None:
                with suppress(OSError):  # something has just ended
                    samples.append(_sample(process.pid, output / "levels"))
                time.sleep(SAMPLING_SECONDS)
        log.seek(0)
        [summary] = [line for line in log if " skipped, " in line]
    return Run(summary.strip(), [each for each in samples if each.driver])


def _sample(driver: int, stored: Path) -> Sample:
    children = {_command(each): each for each in _children(driver)}
    workers = [each for command, each in children.items() if "worker.main" in command]
    decoders = [
        each for command, server in children.items() if "decoder_server" in command for each in _children(server)
    ]
    worker, decoder = (max(map(_resident_mb, each), default=0.0) for each in (workers, decoders))
    fields = Path(f"/proc/{driver}/stat").read_text().rpartition(")")[2].split()
    done = len(os.listdir(stored)) if stored.exists() else 0
    return Sample(done, _resident_mb(driver), worker, decoder, (int(fields[11]) + int(fields[12])) / TICKS)


def _children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _command(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text()


def _resident_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))  # a zombie has none


def noise(path: Path, seconds: float) -> Path:
    """A WAV of noise, written a minute at a time."""
    random = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for start in np.arange(0, seconds, 60):
            file.write(random.normal(0, 0.1, round(min(60, seconds - start) * RATE)))
    return path


def linked(original: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """Hard links to copies of a file."""
    folder.mkdir(parents=True, exist_ok=True)
    content, paths = original.read_bytes(), [folder / name for name in names]
    for index, path in enumerate(paths):
        if index % LINKS == 0:
            path.write_bytes(content)
        else:
            os.link(paths[index - index % LINKS], path)
    return paths


def listed(file: Path, paths: Iterable[Path]) -> Path:
    file.write_text("".join(f"{path}\n" for path in paths))
    return file


def many_sources(folder: Path, number: int) -> Iterator[str]:
    clip = noise(folder / "clip.wav", 0.1)
    paths = linked(clip, folder / "clips", [f"{index}.wav" for index in range(number)])
    result = run(listed(folder / "list.txt", paths), folder / "output")
    seconds = result.samples[-1].driver_seconds
    yield f"{result.summary}; the driver took {1000 * seconds / number:.2f} s of CPU per 1,000 sources"
    last = max(each.done for each in result.samples)
    for share in (0.1, 0.5, 0.95):
        yield str(next(each for each in result.samples if each.done >= share * last))


def all_done(folder: Path, number: int) -> Iterator[str]:
    """The features of one file stand for all, and their record is made up."""
    clip, output = noise(folder / "clip.wav", 0.1), folder / "output"
    paths = linked(clip, folder / "clips", [f"{index}.wav" for index in range(number)])
    run(listed(folder / "first.txt", paths[:1]), output)
    features = (output / "levels" / "0_levels.npy").rename(folder / "features.npy")
    linked(features, output / "levels", [f"{index}_levels.npy" for index in range(number)])
    with (output / "levels" / "sources.jsonl").open("wb") as record:
        record.writelines(origins.line(path.stem, origins.seen(Source(str(path), path.stem))) for path in paths)
    result = run(listed(folder / "list.txt", paths), output)
    last = max(result.samples, key=lambda each: each.driver)
    yield f"{result.summary}; at most {last.driver:.0f} MB and {result.samples[-1].driver_seconds:.0f} s of CPU"


def long_file(folder: Path, hours: int) -> Iterator[str]:
    result = run(listed(folder / "list.txt", [noise(folder / "long.wav", 3600 * hours)]), folder / "output")
    yield result.summary
    for share in (0.1, 0.5, 0.95):
        yield str(result.samples[int(share * len(result.samples))])


def failing_in_a_row(folder: Path, number: int) -> Iterator[str]:
    (folder / "words.wav").write_text("no sound, but words\n" * 100)
    bad = linked(folder / "words.wav", folder / "bad", [f"bad{index}.wav" for index in range(number)])
    good = linked(noise(folder / "clip.wav", 0.1), folder / "good", [f"{index}.wav" for index in range(1000)])
    yield run(listed(folder / "list.txt", bad + good), folder / "output").summary


PARTS = {
    "sources": (many_sources, 100_000),
    "listed": (all_done, 1_000_000),
    "hours": (long_file, 10),
    "failing": (failing_in_a_row, 64),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help=" ".join(PARTS))
    parser.add_argument("--number", type=int, help="of them, in place of the one above")
    arguments = parser.parse_args()
    for name in arguments.parts or PARTS:
        part, number = PARTS[name]
        with tempfile.TemporaryDirectory() as folder:
            for line in part(Path(folder), arguments.number or number):
                print(f"{name}: {line}", flush=True)


if __name__ == "__main__":
    main()
