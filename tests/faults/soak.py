"""Random faults against random media on a random plan, round after round, and the end state of each one checked.

    make soak                                                fifteen minutes
    make soak SOAK="--minutes 1"                             less
    make soak SOAK="--seed 7 --rounds 1"                     what failed in the round of seed 7

A round makes media, good and bad ones, and has them extracted twice: once in peace, and once by runs that are disturbed
at random times, the last one excepted. Some have company: another run of the same command, on the same machine or, as
it seems to them, on another one. Both must come to the same: the same features bit for bit, the same sources failed for
the same reasons, and nothing else left.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from command import ROOT, group_members, wait_until
from faulty import ELSEWHERE
from media_maker import KINDS, write_kind, write_mono
from outputs import outputs
from victim import SINKS, Running, Victim
from video_maker import write_video

ONCE = ("once kill", "once segfault", "once hang", "once exit")  # in a decoder
WHERE = ("forward", "replace-{}_levels.npy", "replace-{}.npz")  # in a worker
LONGEST_DELAY = 3.0  # s from the first child process of a run to a fault


@dataclass
class Figures:
    counts: Counter[str] = field(default_factory=Counter)
    slowest_end: float = 0.0  # s from a signal to the end of all processes

    def __str__(self) -> str:
        counted = ", ".join(f"{number} {name}" for name, number in sorted(self.counts.items()))
        return f"{counted}; {self.slowest_end:.1f} s from a signal to the end of the last process, at most"


class Round:
    """All that happens in it follows from its seed, but for the times, which depend on the machine."""

    def __init__(self, seed: int, folder: Path, figures: Figures) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.figures = figures
        self.world = {ELSEWHERE: ""} if self.random.random() < 0.5 else {}  # all other runs are on other machines

    def run(self) -> None:
        peaceful = self.plan()
        self.make_media(peaceful.clips)
        result = peaceful.run()
        assert result.code in (0, 1), result.stderr
        disturbed = replace(peaceful, folder=self.folder / "disturbed")
        disturbed.folder.mkdir()
        disturbed.points.mkdir()
        disturbed.clips.symlink_to(peaceful.clips)
        for _ in range(self.random.randint(1, 3)):
            self.disturb(disturbed)
        disturbed.plan(self.world)
        with disturbed.running() as run, ExitStack() as stack:
            companions = self.company(disturbed, stack)
            for last in [run.end(), *(each.end() for each in companions)]:
                assert last.code == result.code, last.stderr
        self.figures.counts["runs"] += 2
        assert outputs(disturbed.stored) == outputs(peaceful.stored), "other features"
        assert failures(disturbed) == failures(peaceful), "other failures"
        assert disturbed.leftovers() == [], disturbed.leftovers()
        self.figures.counts["sources"] += len(list(peaceful.clips.iterdir()))
        self.figures.counts["failed sources"] += len(failures(peaceful))

    def plan(self) -> Victim:
        choice = self.random.choice
        feature_type = choice(["faulty", "faulty", "faulty", "vggish"])
        sinks = [sink for sink in SINKS if feature_type == "faulty" or sink != "save_tfrecord"]  # which needs 8 bits
        options = [
            f"num_decoders={self.random.randint(1, 3)}",
            choice(["device_ids=[0]", "device_ids=[0,1]"]),
            "timeout=6",
        ]
        options += ["checkpoint=random", "batch_size=1"] if feature_type == "vggish" else []
        victim = Victim(self.folder / "peaceful", choice(sinks), tuple(options), feature_type)
        victim.folder.mkdir()
        victim.points.mkdir()
        victim.clips.mkdir()
        return victim

    def make_media(self, folder: Path) -> None:
        for number in range(self.random.randint(6, 14)):
            self.make_medium(folder / f"medium{number}")

    def make_medium(self, path: Path) -> None:
        seconds = self.random.choice([0.05, 0.5, 2.0, 4.0, 8.0])
        kind = self.random.choice([*KINDS, *["mono"] * 5, "cut", "words", "nothing", "video"])
        if kind == "mono":
            write_mono(path.with_suffix(".wav"), seconds, 8000)
        elif kind == "cut":
            write_mono(path.with_suffix(".wav"), 3.0, 8000)
            os.truncate(path.with_suffix(".wav"), self.random.randrange(50, 40_000))
        elif kind == "words":
            path.with_suffix(".mp4").write_text("no film, but words\n" * 50)
        elif kind == "nothing":
            path.with_suffix(".wav").touch()
        elif kind == "video":
            write_video(path.with_suffix(".mp4"))
        else:
            made, *_ = write_kind(path.parent, kind, seconds)
            made.rename(path.with_suffix(made.suffix))

    def disturb(self, victim: Victim) -> None:
        """A run to which up to four things happen."""
        names = sorted(clip.stem for clip in victim.clips.iterdir())
        points = {
            f"decode-{name}": self.random.choice(ONCE) for name in self.random.sample(names, self.random.randint(0, 3))
        }
        if self.random.random() < 0.3:
            point = self.random.choice(WHERE).format(self.random.choice(names))
            points[point] = self.random.choice(["once kill", "once poisoned"])
        victim.plan({**self.world, **points} if victim.feature_type == "faulty" else {})
        faults = self.random.sample(sorted(FAULTS), self.random.randint(1, 4))
        delays = sorted(self.random.uniform(0, LONGEST_DELAY) for _ in faults)
        with victim.running() as run, ExitStack() as stack:
            companions = self.company(victim, stack)
            assert wait_until(lambda: len(group_members(run.process.pid)) > 1 or run.process.poll() is not None, 60)
            began = time.monotonic()
            for fault, delay in zip(faults, delays, strict=True):
                time.sleep(max(0.0, began + delay - time.monotonic()))
                if run.process.poll() is None:
                    self.figures.counts[fault] += 1
                    with suppress(ProcessLookupError):  # it ended in this moment
                        FAULTS[fault](self, run)
            ended = time.monotonic()
            result = run.end()
            if INTERRUPTING & {*faults}:
                self.figures.slowest_end = max(self.figures.slowest_end, time.monotonic() - ended)
            for each in companions:
                other = each.end()
                assert other.code in {0, 1}, f"exit code {other.code} beside {faults}: {other.stderr}"
        self.figures.counts["runs"] += 1
        allowed = {0, 1, *([130] if INTERRUPTING & {*faults} else []), *([-9] if KILLING & {*faults} else [])}
        assert result.code in allowed, f"exit code {result.code} after {faults}: {result.stderr}"

    def company(self, victim: Victim, stack: ExitStack) -> list[Running]:
        """Another run at the same time, or none."""
        if self.random.random() < 0.5:
            return []
        self.figures.counts["runs in company"] += 1
        return [stack.enter_context(victim.running())]

    def any_process(self, run: Running) -> int:
        return self.random.choice(sorted(group_members(run.process.pid)) or [run.process.pid])

    def stop_and_continue(self, run: Running) -> None:
        process = self.any_process(run)
        os.kill(process, signal.SIGSTOP)
        time.sleep(self.random.uniform(0, 1))
        os.kill(process, signal.SIGCONT)

    def limit_files(self, run: Running) -> None:
        process = self.any_process(run)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (self.random.randrange(10_000),) * 2)

    def hide_media(self, run: Running) -> None:
        """For a while."""
        clip = self.random.choice(sorted(run.victim.clips.iterdir()))
        away = clip.resolve().parents[1] / clip.name
        clip.rename(away)
        time.sleep(self.random.uniform(0, 1))
        away.rename(clip)

    def touch_media(self, run: Running) -> None:
        os.utime(self.random.choice(sorted(run.victim.clips.iterdir())))

    def interrupt_twice(self, run: Running) -> None:
        run.signal(signal.SIGINT)
        time.sleep(self.random.uniform(0, 0.5))
        run.signal(signal.SIGINT)


FAULTS: dict[str, Callable[[Round, Running], object]] = {
    "any process killed": lambda each, run: os.kill(each.any_process(run), signal.SIGKILL),
    "all processes killed": lambda each, run: run.signal(signal.SIGKILL),
    "any process stopped for a while": Round.stop_and_continue,
    "Ctrl-C": lambda each, run: run.signal(signal.SIGINT),
    "Ctrl-C twice": Round.interrupt_twice,
    "SIGTERM to all": lambda each, run: run.signal(signal.SIGTERM),
    "SIGTERM to the driver": lambda each, run: run.process.terminate(),
    "files of a process limited": Round.limit_files,
    "medium gone for a while": Round.hide_media,
    "medium touched": Round.touch_media,
}
INTERRUPTING = {"Ctrl-C", "Ctrl-C twice", "SIGTERM to all", "SIGTERM to the driver"}
KILLING = {"any process killed", "all processes killed"}


def failures(victim: Victim) -> dict[str, str]:
    """Name of each source that failed -> why."""
    table = victim.stored / "failures.csv"
    if not table.exists():
        return {}
    with table.open(newline="") as file:
        return {row["name"]: row["error"] for row in csv.DictReader(file)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15, help="a round that has begun is completed (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="of the first round")
    parser.add_argument("--rounds", type=int, default=1_000_000, help="at most")
    arguments = parser.parse_args()
    figures, end = Figures(), time.monotonic() + 60 * arguments.minutes
    for seed in range(arguments.seed, arguments.seed + arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            try:
                Round(seed, Path(folder), figures).run()
            except BaseException:
                print(f"failed: --seed {seed} --rounds 1")
                raise
        figures.counts["rounds"] += 1
        if time.monotonic() > end:
            break
    print(figures)
    return 0


if __name__ == "__main__":
    os.chdir(ROOT)
    raise SystemExit(main())
