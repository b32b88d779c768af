"""Records of runs, made up: an hour of two GPUs, and a short run before."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np

from torch_zoo.utils.engines.news import Load
from torch_zoo.utils.runs.recording import Recording, RunRecord
from torch_zoo.utils.runs.statistics import statistics
from torch_zoo.utils.types import Outcome, Source, Status

HOSTILE = "<img src=https://elsewhere.test/x onerror=alert(1)>"
MESSAGES = ("no audio stream (video only)", "truncated: {:.2f} s of audio are there, 9.98 s are announced", HOSTILE)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def write_runs(folder: Path) -> None:
    _write(folder, seconds=40, rate=2.0)
    _write(folder, seconds=3600, rate=4.0)


def _write(folder: Path, seconds: int, rate: float) -> None:
    draw, random_values, clock = random.Random(seconds), np.random.default_rng(seconds), Clock()
    with RunRecord(
        Recording(folder=str(folder), report="never"), True, "vggish", {"seed": 1}, {"seed": 1}, clock
    ) as run:
        for number in range(30):
            run.add(Outcome(Source(f"old{number}.mp4", f"old{number}"), "skipped"))
        number, busy, waiting = 0, [0.0, 0.0], [0.0, 0.0]
        for second in range(0, seconds, 2):
            clock.now = 4.0 + second
            share = 0.75 + 0.2 * math.sin(second / 300)
            for device in range(2):
                busy[device] += 2 * share
                waiting[device] += 1.6 * (1 - share)
                run.tell(f"cuda:{device}", Load(second + 2.0, busy[device], waiting[device], 20, 8, draw.randint(0, 8)))
            while number < second * rate * (0.9 + 0.1 * share):
                number += 1
                run.add(_outcome(number, draw, random_values))


def _outcome(number: int, draw: random.Random, random_values: np.random.Generator) -> Outcome:
    source = Source(f"clips/{number:05}.mp4", f"{number:05}")
    if number % 20 == 7:
        status: Status = "failed"
        return Outcome(source, status, draw.choice(MESSAGES).format(draw.uniform(1, 9)))
    features = random_values.normal(0, draw.lognormvariate(0, 0.2), (4, 16)).astype(np.float32)
    if number % 50 == 9:
        features[:] = 0
    return Outcome(source, "done", "", "", draw.choice([9.6, 9.6, 4.8, 60.0]), statistics({"vggish": features}))
