"""Processes that go wrong in every way: each costs its own sources only, and none stays behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from actors import WINDOWS, Doubler, Tell, value

from torch_zoo.utils.engines.channel import Channel
from torch_zoo.utils.engines.local import Local
from torch_zoo.utils.engines.worker_process import PROGRAM
from torch_zoo.utils.types import Outcome, Source, UsageError, WorkerError


def run(paths: Sequence[str], markers: Path, loading: str = "well", workers: int = 2, **options: int) -> list[Outcome]:
    """All outcomes of sources with these paths, on CPU workers of one decode thread each."""
    sources = [Source(path, path.replace(" ", "_")) for path in paths]
    engine = Local(device="cpu", device_ids=list(range(workers)), num_decoders=1, **options)
    return list(engine.run(sources, Doubler(markers=str(markers), loading=loading), Tell()))


def children() -> set[str]:
    """Ids of this process's children (Linux; elsewhere nobody looks)."""
    return {child for file in Path("/proc/self/task").glob("*/children") for child in file.read_text().split()}


@pytest.fixture(autouse=True)
def no_process_stays() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


GOOD = [f"good {number}" for number in range(12)]
BAD = ["kill-once a", "media x", "decode x", "empty x", "worker x", "write x", "forward x"]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """One run with everything in it: good sources, and one of each kind of bad ones."""
    paths = [*BAD[:4], *GOOD[:6], *BAD[4:], *GOOD[6:]]
    found = run(paths, tmp_path_factory.mktemp("markers"))
    assert sorted(outcome.source.path for outcome in found) == sorted(paths)  # one each
    return {outcome.source.path: outcome for outcome in found}


def test_good_sources_are_done_whatever_befalls_others(outcomes: dict[str, Outcome]) -> None:
    for path in GOOD:
        outcome = outcomes[path]
        assert (outcome.status, outcome.message, outcome.media_seconds) == ("done", "", WINDOWS)
        assert outcome.printed.partition(" ")[2] == str([[2 * value(outcome.source)] * 2] * WINDOWS)


def test_source_that_kills_its_worker_is_tried_once_more_and_reported(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["worker x"]
    assert outcome.status == "failed"
    assert outcome.message == "its worker was killed by SIGKILL, perhaps because memory ran out; tried twice"


def test_source_whose_decoder_was_killed_once_is_done(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["kill-once a"].status == "done"


def test_source_that_the_network_cannot_stand_is_reported_with_the_reason(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["forward x"]
    assert outcome.status == "failed"
    assert "RuntimeError: a window that the network cannot stand" in outcome.message


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("media x", "no audio stream"),
        ("decode x", "ZeroDivisionError: a decoder's mistake"),
        ("write x", "No space left on device"),
    ],
)
def test_error_fails_its_source_only(path: str, message: str, outcomes: dict[str, Outcome]) -> None:
    assert (outcomes[path].status, outcomes[path].message) == ("failed", message)


def test_source_without_a_window_is_empty(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["empty x"]
    assert (outcome.status, outcome.message, outcome.printed.split()[1]) == ("empty", "it has no window", "[]")


def test_sources_are_handed_out_as_workers_ask(tmp_path: Path) -> None:
    """The first source ends only when the last is under way: whoever has the first must not get the last."""
    paths = ["wait 0", *GOOD, "release 0"]
    found = {outcome.source.path: outcome for outcome in run(paths, tmp_path)}
    assert {outcome.status for outcome in found.values()} == {"done"}
    assert found["wait 0"].printed.split()[0] != found["release 0"].printed.split()[0]


@pytest.mark.parametrize(
    ("loading", "error", "message"),
    [
        ("usage", UsageError, "weights.pth: not the weights of Doubler"),
        ("error", WorkerError, "the worker on cpu could not start: RuntimeError: no memory for the network"),
        ("die", WorkerError, "the worker on cpu could not start: its worker ended with exit code 3"),
    ],
)
def test_worker_that_cannot_be_built_ends_the_run(
    loading: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        run(GOOD, tmp_path, loading, workers=1)


def test_run_that_is_closed_midway_leaves_no_process(tmp_path: Path) -> None:
    engine = Local(device="cpu", num_decoders=1, batch_size=WINDOWS)
    sources = [Source("good 0", "good"), Source("wait 0", "wait")]
    with closing(engine.run(sources, Doubler(markers=str(tmp_path)), Tell())) as outcomes:
        assert next(outcomes).source.name == "good"


def test_a_worker_that_its_driver_never_told_what_to_do_ends_without_a_word() -> None:
    """As where Ctrl-C interrupts the driver between the two."""
    ours, theirs = Channel.pair()
    ours.close()
    command = [sys.executable, "-c", PROGRAM, repr(sys.path), str(theirs.fileno())]
    result = subprocess.run(command, pass_fds=[theirs.fileno()], capture_output=True, text=True)
    theirs.close()
    assert (result.returncode, result.stderr) == (1, "")


def test_nothing_to_do_starts_nothing(tmp_path: Path) -> None:
    assert run([], tmp_path) == []
