"""A source is done when its features are stored, not when they are computed."""

from __future__ import annotations

import errno
import os
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from actors import WINDOWS, Doubler

from torch_zoo.utils.engines.local import Local
from torch_zoo.utils.engines.news import Computed
from torch_zoo.utils.engines.outbox import PAUSE_SECONDS, Outbox
from torch_zoo.utils.types import Features, Outcome, OutputError, Sink, Source


@dataclass(frozen=True, kw_only=True)
class Shards(Sink):
    """Stores three sources at a time, in a file each time."""

    folder: str
    errors: list[int] = field(default_factory=list)  # of the next attempts to store anything
    terminated: bool = False  # while it stores
    held: list[str] = field(default_factory=list)
    size: int = 3

    @property
    def destination(self) -> str:
        return self.folder

    @property
    def buffered(self) -> bool:
        return bool(self.held)

    def open(self, token: str) -> None:
        self.fail()

    def write(self, features: Features) -> str:
        self.held.append(features.source.name)
        if len(self.held) == self.size:
            try:
                self.flush()
            except OSError:
                self.held.pop()
                raise
        return ""

    def fail(self) -> None:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))

    def flush(self) -> None:
        self.fail()
        if self.terminated:
            os.kill(os.getpid(), signal.SIGTERM)
        if self.held:
            (Path(self.folder) / f"{self.held[0]}.txt").write_text(" ".join(self.held))
            self.held.clear()


def outcome(name: str, status: str = "done") -> Outcome:
    return Outcome(Source(name, name), status)  # type: ignore[arg-type]


def features(name: str) -> Features:
    return Features(Source(name, name), {}, np.zeros((0, 2)))


def write(sink: Sink, outbox: Outbox, name: str) -> None:
    outbox.write(features(name))
    outbox.add(outcome(name))


def test_outcomes_wait_for_the_shard_that_holds_their_features(tmp_path: Path) -> None:
    sent: list[object] = []
    sink = Shards(folder=str(tmp_path))
    outbox = Outbox(sink, sent.append)
    write(sink, outbox, "a")
    outbox.add(outcome("bad", "failed"))  # of which nothing is stored
    write(sink, outbox, "b")
    assert sent == [Computed(Source("a", "a"), 0.0), outcome("bad", "failed"), Computed(Source("b", "b"), 0.0)]
    sent.clear()
    write(sink, outbox, "c")
    assert sent == [outcome("a"), outcome("b"), outcome("c")]
    assert (tmp_path / "a.txt").read_text() == "a b c"
    sent.clear()
    write(sink, outbox, "d")
    outbox.flush()
    outbox.flush()
    assert sent == [Computed(Source("d", "d"), 0.0), outcome("d")]
    assert (tmp_path / "d.txt").exists()


@pytest.mark.parametrize("error", [errno.EFBIG, errno.EIO])
def test_sources_of_a_shard_that_cannot_be_stored_fail(error: int, tmp_path: Path) -> None:
    sent: list[object] = []
    sink = Shards(folder=str(tmp_path), errors=[error])
    outbox = Outbox(sink, sent.append)
    write(sink, outbox, "a")
    write(sink, outbox, "b")
    outbox.flush()
    assert sent[2:] == [Outcome(Source(name, name), "failed", os.strerror(error)) for name in "ab"]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("action", ["open", "write", "flush"])
def test_a_disk_may_be_full_for_a_moment_but_no_longer(
    action: str, error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    sent: list[object] = []
    sink = Shards(folder=str(tmp_path), size=1 if action == "write" else 100, errors=[error])
    outbox = Outbox(sink, sent.append)

    def act() -> None:
        if action == "open":
            outbox.open("host-1-ab")
        else:
            outbox.write(features("a"))
            outbox.add(outcome("a"))
            outbox.flush()

    act()
    assert pauses == [PAUSE_SECONDS]
    sent.clear()
    sink.errors[:] = [error, error]
    with pytest.raises(OutputError, match=re.escape(f"{tmp_path}: cannot be written ({os.strerror(error)})")):
        act()
    assert sent in ([], [Computed(Source("a", "a"), 0.0)])  # no outcome


@pytest.mark.parametrize(("folder", "lasts"), [("", False), ("s3://bucket/features", True)])
def test_a_refusal_concerns_everything_only_where_the_folder_itself_refuses(
    folder: str, lasts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local folder can be asked; what a server refuses once, it refuses always."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    sink = Shards(folder=folder or str(tmp_path), size=1, errors=[errno.EACCES] * 2)
    with pytest.raises(OutputError if lasts else PermissionError):
        Outbox(sink, [].append).write(features("a"))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_ends_where_nothing_can_be_stored(workers: int, tmp_path: Path) -> None:
    """The last source would take forever."""
    sources = [*(Source(f"good {number}", f"{number}") for number in range(7)), Source("hang y", "y")]
    engine = Local(device="cpu", device_ids=[0] * workers, num_decoders=1, timeout=0)
    sink = Shards(folder=str(tmp_path), errors=[errno.ENOSPC] * 2)
    with pytest.raises(OutputError, match="No space left on device"):
        list(engine.run(sources, Doubler(markers=str(tmp_path)), sink))
    assert not list(tmp_path.glob("*.txt"))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_ends_with_everything_stored(workers: int, tmp_path: Path) -> None:
    """Seven sources in shards of three: the last shard is stored because nothing else is to come."""
    sources = [Source(f"good {number}", f"{number}") for number in range(7)]
    engine = Local(device="cpu", device_ids=[0] * workers, num_decoders=1)
    found = list(engine.run(sources, Doubler(markers=str(tmp_path)), Shards(folder=str(tmp_path))))
    assert {each.status for each in found} == {"done"}
    assert {each.media_seconds for each in found} == {float(WINDOWS)}
    stored = [name for file in tmp_path.glob("*.txt") for name in file.read_text().split()]
    assert sorted(stored) == sorted(each.source.name for each in found) == sorted(each.name for each in sources)


def test_what_a_crashed_worker_had_buffered_is_computed_again(tmp_path: Path) -> None:
    """The shard is larger than all: the source that kills the worker takes the buffer with it, each time."""
    sources = [Source(f"good {number}", f"{number}") for number in range(4)] + [Source("worker x", "x")]
    engine = Local(device="cpu", num_decoders=1, batch_size=WINDOWS)
    found = list(engine.run(sources, Doubler(markers=str(tmp_path)), Shards(folder=str(tmp_path), size=100)))
    assert {each.source.name: each.status for each in found} == {**dict.fromkeys("0123", "done"), "x": "failed"}
    stored = [name for file in tmp_path.glob("*.txt") for name in file.read_text().split()]
    assert sorted(stored) == list("0123")


@pytest.mark.parametrize("terminated", [False, True], ids=["by the driver", "as are all processes of a job"])
def test_what_a_worker_has_buffered_is_stored_when_the_run_is_interrupted(terminated: bool, tmp_path: Path) -> None:
    sources = [Source(f"good {number}", f"{number}") for number in range(4)] + [Source("media x", "x")]
    engine = Local(device="cpu", num_decoders=1, batch_size=WINDOWS)
    sink = Shards(folder=str(tmp_path), size=100, terminated=terminated)
    outcomes = engine.run([*sources, Source("hang y", "y")], Doubler(markers=str(tmp_path)), sink)
    assert next(outcomes).source.name == "x"  # the others wait for a shard that is far from full
    assert not list(tmp_path.glob("*.txt"))
    outcomes.close()
    assert (tmp_path / "0.txt").read_text().startswith("0 1")
