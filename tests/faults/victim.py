"""Real runs of the command whose processes get into trouble, what they leave behind, and what they have stored."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from command import MUSIC, ROOT, Result, group_members, run, start, wait_until
from media_maker import write_mono
from outputs import outputs

Undisturbed = Callable[[str], Mapping[str, bytes]]  # sink -> what it stores of the clips if nothing happens

HERE = Path(__file__).parent
IMPORTS = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, HERE, HERE.parent / "engines", HERE.parent / "sinks")))}
WAVS = 5
SECONDS = 100  # to wait for something, on a busy machine
CLIPS = [*(f"clip{number}" for number in range(WAVS)), "music"]
SINKS = {  # all that store arrays
    "save_numpy": (),
    "save_npz": (),
    "save_pickle": (),
    "save_tfrecord": ("keys=[codes]",),
    "save_table": (),
    "save_hdf5": (),
    "save_webdataset": (),
}


@dataclass(frozen=True)
class Victim:
    """A run in `folder` with this sink; `points` is where faults are planned, and not yet any."""

    folder: Path
    sink: str
    more: tuple[str, ...] = ()  # options
    feature_type: str = "faulty"

    @property
    def points(self) -> Path:
        return self.folder / "points"

    @property
    def clips(self) -> Path:
        return self.folder / "clips"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def stored(self) -> Path:
        """Where the features are."""
        return self.output / self.feature_type

    def plan(self, points: Mapping[str, str]) -> None:
        """What is to happen, by point, and nothing else."""
        for old in self.points.iterdir():
            old.unlink()
        for point, action in points.items():
            (self.points / point).write_text(action)

    def options(self) -> list[object]:
        options = f"feature_type={self.feature_type} device=cpu on_extraction={self.sink}".split()
        return [
            *("--config-dir", HERE / "configs", *options, "num_decoders=1", *SINKS[self.sink], *self.more),
            *(f"video_paths={self.clips}", f"output_path={self.output}"),
            *([f"points={self.points}"] if self.feature_type == "faulty" else []),
        ]

    def run(self) -> Result:
        return run(*self.options(), environment=IMPORTS)

    @contextmanager
    def running(
        self, environment: Mapping[str, str] = IMPORTS, prepare: Callable[[], object] | None = None
    ) -> Iterator[Running]:
        """`prepare` is called in the process before the command begins."""
        with start(*self.options(), environment=dict(environment), prepare=prepare) as process:
            try:
                yield Running(self, process)
            finally:
                for member in group_members(process.pid):
                    os.kill(member, signal.SIGKILL)

    def leftovers(self) -> list[str]:
        """Of writing: what no run leaves when it has ended by itself."""
        patterns = ("*.part", "*.journal", ".sources.*", ".sharing")
        return sorted(path.name for pattern in patterns for path in self.output.rglob(pattern))


@dataclass(frozen=True)
class Running:
    victim: Victim
    process: subprocess.Popen[str]

    def reached(self, point: str) -> int:
        """Wait until a process holds at this point; returns its id."""
        file = self.victim.points / f"{point}.reached"
        assert wait_until(lambda: file.exists() or self.process.poll() is not None, SECONDS), f"nobody reached {point}"
        assert file.exists(), self.process.communicate()[1]
        return int(file.read_text())

    def release(self, point: str) -> None:
        (self.victim.points / point).unlink()

    def signal(self, number: int) -> None:
        """To all processes, as a terminal does with Ctrl-C."""
        os.killpg(self.process.pid, number)

    def end(self) -> Result:
        """Wait until the command has ended, with all of its processes."""
        stdout, stderr = self.process.communicate(timeout=SECONDS)
        assert wait_until(lambda: not group_members(self.process.pid), SECONDS), "processes outlive the run"
        return Result(self.process.returncode, stdout, stderr)

    def zombies(self) -> list[int]:
        """Processes that have ended and that nobody has waited for."""
        return group_members(self.process.pid, states="Z")

    def shared_files(self) -> list[str]:
        """Shared memory with a name, which could stay behind."""
        maps = [Path(f"/proc/{each}/maps").read_text() for each in group_members(self.process.pid)]
        return [line for text in maps for line in text.splitlines() if "/dev/shm/" in line and "(deleted)" not in line]


def new(folder: Path, sink: str) -> Victim:
    """In an empty folder, which gets media: seven seconds each, so that they are read in pieces, and one with video."""
    victim = Victim(folder, sink)
    victim.points.mkdir()
    make_clips(victim.clips)
    return victim


def make_clips(folder: Path) -> None:
    folder.mkdir()
    for number in range(WAVS):
        write_mono(folder / f"clip{number}.wav", 7 + number / 10, 8000)
    shutil.copy(ROOT / MUSIC, folder / "music.mp4")


def check_rerun(victim: Victim, undisturbed: Undisturbed, counts: str = "") -> None:
    """The same command completes what is missing, bit for bit, and leaves nothing else behind."""
    again = victim.run()
    assert again.code == 0, again.stderr
    assert counts in again.stderr
    assert outputs(victim.stored) == undisturbed(victim.sink)
    assert victim.leftovers() == []
