"""What workers say and how they end, told without any process."""

from __future__ import annotations

from collections import defaultdict

import pytest

from torch_zoo.utils.engines.driver import Driver
from torch_zoo.utils.engines.news import Computed
from torch_zoo.utils.engines.worker import Committed, Loaded, SourceRequest, Store, WorkerFailed
from torch_zoo.utils.types import Outcome, Source, UsageError, WorkerError

A, B, C = (Source(f"{name}.mp4", name) for name in "abc")


class Recorder:
    """A transport that keeps what goes through it."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.sent: defaultdict[int, list[object]] = defaultdict(list)
        self.committed = 0

    def start(self, number: int) -> None:
        self.started.append(number)

    def send(self, number: int, message: object) -> None:
        self.sent[number].append(message)

    def commit(self) -> None:
        self.committed += 1


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def driver(recorder: Recorder) -> Driver:
    """Two workers that have loaded their networks; the first holds A and B, and nothing waits."""
    driver = Driver(recorder, ["cuda:0", "cuda:1"], recorder.commit)
    driver.begin([A, B])
    tell(driver, 0, SourceRequest(2), Loaded())
    tell(driver, 1, SourceRequest(2), Loaded())
    return driver


def tell(driver: Driver, number: int, *messages: object) -> list[Outcome]:
    return [outcome for message in messages for outcome in driver.received(number, message)]


def test_all_workers_start_at_once_and_the_run_is_committed_once(driver: Driver, recorder: Recorder) -> None:
    assert recorder.started == [0, 1]
    assert recorder.committed == 1
    assert recorder.sent == {0: [A, B, Committed()], 1: [Committed()]}
    assert (driver.idle(0), driver.idle(1)) == (False, True)


def test_outcomes_go_to_the_caller_until_there_are_no_more(driver: Driver, recorder: Recorder) -> None:
    done = [Outcome(source, "done") for source in (A, B)]
    assert tell(driver, 0, done[0]) == done[:1]
    assert driver.unfinished
    assert tell(driver, 0, Computed(B, 0.0)) == []
    assert recorder.sent[0][-1] == Store()
    assert tell(driver, 0, done[1]) == done[1:]
    assert not driver.unfinished


def test_a_crash_makes_suspects_and_the_second_one_a_failure(driver: Driver, recorder: Recorder) -> None:
    assert list(driver.crashed(0, "its worker was killed")) == []
    assert recorder.started == [0, 1, 0]
    assert recorder.sent[1] == [Committed(), A]  # alone
    [outcome] = driver.crashed(1, "its worker was killed")
    assert outcome == Outcome(A, "failed", "its worker was killed; tried twice")
    assert not driver.idle(1)


def test_a_loss_makes_none(driver: Driver, recorder: Recorder) -> None:
    assert list(driver.lost(0)) == []
    assert recorder.sent[1] == [Committed(), A, B]
    assert list(driver.lost(1)) == []
    assert recorder.started == [0, 1, 0, 1]


def test_a_worker_that_said_why_is_quoted(driver: Driver) -> None:
    tell(driver, 0, WorkerFailed("out of memory"))
    list(driver.crashed(0, "its worker ended with exit code 0"))
    [outcome] = driver.crashed(1, "its worker was killed")  # which had got A
    assert outcome.message == "its worker was killed; tried twice"


def test_options_that_a_worker_finds_wrong_end_the_run(driver: Driver) -> None:
    with pytest.raises(UsageError, match="no such file"):
        tell(driver, 0, WorkerFailed("x.pth: no such file", UsageError))


@pytest.mark.parametrize(("device", "way_out"), [("cuda:0", "; device=cpu works everywhere"), ("cpu", "")])
def test_a_device_on_which_no_worker_was_ever_ready_ends_the_run(device: str, way_out: str, recorder: Recorder) -> None:
    driver = Driver(recorder, [device], recorder.commit)
    driver.begin([A])
    tell(driver, 0, SourceRequest(1))
    list(driver.lost(0))  # is no reason to give up
    with pytest.raises(WorkerError, match=f"the worker on {device} could not start: it crashed{way_out}$"):
        list(driver.crashed(0, "it crashed"))


def test_workers_that_keep_ending_end_the_run(driver: Driver, recorder: Recorder) -> None:
    with pytest.raises(WorkerError, match="workers keep ending: it crashed"):
        for _ in range(9):
            list(driver.crashed(1, "it crashed"))
