"""The record that a run leaves in its folder, however it ends."""

from __future__ import annotations

import json
import logging
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from torch_zoo.utils import storage
from torch_zoo.utils.engines.news import Load, LogLine
from torch_zoo.utils.runs import recording
from torch_zoo.utils.runs.history import runs
from torch_zoo.utils.runs.recording import SAVE_SECONDS, Recording, RunRecord
from torch_zoo.utils.types import Outcome, Source, UsageError

LOAD = Load(10.0, 5.0, 1.0, 3, 4, 1)
DONE = Outcome(Source("a.mp4", "a"), "done", "", "", 9.6)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def record(folder: str, clock: Clock | None = None, kept: bool = True, **given: Any) -> RunRecord:
    options = Recording(folder=folder, report="never")
    return RunRecord(options, kept, "vggish", given, {"seed": 0, **given}, clock or Clock())


def log_of(folder: str) -> list[str]:
    """The lines of the only log, without their timestamps."""
    [name] = (name for name in storage.listing(folder) if name.endswith("run.log"))
    with storage.open_text(storage.join(folder, name)) as file:
        return [line.rstrip("\n").partition("Z ")[2] for line in file]


@pytest.fixture(params=["local", "remote"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of features, in a local folder and in a bucket."""
    if request.param == "local":
        return str(tmp_path)
    return f"{request.getfixturevalue('bucket')}/vggish"


def test_what_a_run_leaves(folder: str) -> None:
    clock = Clock()
    with record(folder, clock, video_paths=["a.mp4"]) as run:
        run.say("a note\nof two lines")
        run.add(Outcome(Source("b.mp4", "b"), "skipped"))
        run.add_untried([Outcome(Source("c.mp4", "c"), "missing", "no such file")])
        run.tell("cuda:0", LogLine("out of memory"))
        clock.now += 20
        run.tell("cuda:0", LOAD)
        run.add(DONE)
        run.say("the summary")
    [found] = runs(folder)
    assert (found["status"], found["error"], found["seconds"]) == ("completed", "", 20)
    assert found["sources"] == {"done": 1, "skipped": 1, "empty": 0, "failed": 0, "missing": 1}
    assert found["options"] == {"given": {"video_paths": ["a.mp4"]}, "resolved": {"seed": 0, "video_paths": ["a.mp4"]}}
    assert found["workers"]["cuda:0"]["busy_seconds"] == 5
    assert {"torch-zoo", "torch", "numpy", "av"} <= set(found["versions"])
    assert found["machine"]["cores"] >= 1
    if platform.machine() == "x86_64" and sys.platform == "linux":
        assert "sse4_1" in found["machine"]["cpu_flags"]  # torch needs it
    said = ["a note", "of two lines", "cuda:0: out of memory", "the summary", "completed"]
    assert log_of(folder)[1:] == said


def test_its_report_is_beside_it(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    with RunRecord(Recording(folder=folder, report="always"), True, "vggish", {}, {}) as run:
        run.tell("cpu", LOAD)
        run.add(DONE)
    report = storage.join(folder, "runs", "report.html")
    assert capsys.readouterr().err == f"the report is {report}\n"
    with storage.open_text(report) as file:
        assert "vggish: 1 source done" in file.read()


@pytest.mark.parametrize(("report", "seconds", "written"), [("auto", 59, 0), ("auto", 61, 1), ("never", 61, 0)])
def test_a_report_comes_by_itself_after_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Any, seconds: float, written: int
) -> None:
    reports: list[str] = []
    monkeypatch.setattr("torch_zoo.utils.reports.run_page.write_report", reports.append)
    clock = Clock()
    with RunRecord(Recording(folder=str(tmp_path), report=report), True, "vggish", {}, {}, clock) as run:
        run.tell("cpu", LOAD)
        clock.now += seconds
    assert reports == [str(tmp_path)] * written


def test_a_run_that_is_killed_leaves_what_it_had(folder: str) -> None:
    clock = Clock()
    run = record(folder, clock).__enter__()
    run.tell("cpu", LOAD)
    run.add(DONE)
    clock.now += SAVE_SECONDS + 1
    run.tell("cpu", LOAD)
    run.add(DONE)  # is lost
    [found] = runs(folder)
    assert (found["status"], found["sources"]["done"]) == ("running", 1)
    assert len(log_of(folder)) == 1
    run.__exit__(None, None, None)


def test_saves_that_take_long_are_rare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, saved = Clock(), []

    class Slow(recording.RunLog):
        def save(self) -> None:
            saved.append(clock.now)
            clock.now += 10

    monkeypatch.setattr(recording, "RunLog", Slow)
    run = record(str(tmp_path), clock).__enter__()
    began = clock.now
    while clock.now < began + 10_000:
        run.tell("cpu", LOAD)
        clock.now += 2
    assert 15 <= len(saved) <= 20  # 10 s each, a fiftieth of the time
    run.__exit__(None, None, None)


def test_runs_at_the_same_time_have_folders_of_their_own(tmp_path: Path) -> None:
    both = [record(str(tmp_path)), record(str(tmp_path))]
    for run in both:
        run.__enter__()
    for run in both:
        run.tell("cpu", LOAD)
        run.__exit__(None, None, None)
    assert [found["status"] for found in runs(str(tmp_path))] == ["completed", "completed"]


@pytest.mark.parametrize(
    ("error", "status", "how"),
    [
        (KeyboardInterrupt(), "interrupted", "interrupted"),
        (UsageError("weights.pth: unreadable"), "failed", "error: weights.pth: unreadable"),
        (ZeroDivisionError("a mistake"), "failed", "ZeroDivisionError: a mistake"),
    ],
)
def test_how_a_run_ended_is_recorded(tmp_path: Path, error: BaseException, status: str, how: str) -> None:
    with pytest.raises(type(error)), record(str(tmp_path)) as run:
        run.tell("cpu", LOAD)
        raise error
    [found] = runs(str(tmp_path))
    assert (found["status"], found["error"]) == (status, how)
    assert log_of(str(tmp_path))[-1] == how


@pytest.mark.parametrize("kept", [True, False])
def test_nothing_is_written_without_a_worker_or_a_folder_of_features(tmp_path: Path, kept: bool) -> None:
    with record(str(tmp_path), kept=kept) as run:
        run.say("a note")
        run.add(DONE)
        if not kept:
            run.tell("cpu", LOAD)
    assert list(tmp_path.iterdir()) == []


def test_warnings_are_logged_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with record(str(tmp_path)) as run:
        run.tell("cpu", LOAD)
        logging.getLogger("torch_zoo.utils.somewhere").warning("%d is odd", 3)
    assert "3 is odd" in log_of(str(tmp_path))
    assert "3 is odd" in capsys.readouterr().err


def test_what_a_worker_logs_is_shown_with_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with record(str(tmp_path)) as run:
        run.tell("cuda:1", LogLine("a.mp4: unexpected"))
    assert capsys.readouterr().err == "cuda:1: a.mp4: unexpected\n"


def test_a_folder_that_was_deleted_stays_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "vggish"
    folder.mkdir()
    with record(str(folder)) as run:
        run.tell("cpu", LOAD)
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
    assert not folder.exists()
    assert "can't be written (No such file or directory)" in capsys.readouterr().err


def test_a_run_goes_on_where_its_record_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recording, "RunLog", full)
    with record(str(tmp_path)) as run:
        for _ in range(3):
            run.tell("cpu", LOAD)
            run.add(DONE)
            run.say("still there")
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_a_report_that_fails_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch_zoo.utils.extras.find_spec", lambda name: None)
    with RunRecord(Recording(folder=str(tmp_path), report="always"), True, "vggish", {}, {}) as run:
        run.tell("cpu", LOAD)
    assert capsys.readouterr().err == ('no report of the run: Matplotlib is missing: pip install "torch-zoo[report]"\n')


def test_damaged_records_are_left_out(tmp_path: Path) -> None:
    with record(str(tmp_path)) as run:
        run.tell("cpu", LOAD)
    for name, content in {"0": b"{", "9": b"[]"}.items():
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / "run.json").write_bytes(content)
    [found] = runs(str(tmp_path))
    assert json.loads(json.dumps(found)) == found


def test_secrets_are_left_out_and_long_lists_cut(tmp_path: Path) -> None:
    url = "https://me:hunter2@host/a.mp4?X-Amz-Signature=hunter2"
    given = {"video_paths": [url] * 100_000, "storage": {"api_token": "hunter2", "keys": ["rgb"]}}
    with record(str(tmp_path), **given) as run:
        run.tell("cpu", LOAD)
    [path] = tmp_path.rglob("run.json")
    assert "hunter2" not in path.read_text()
    options = json.loads(path.read_text())["options"]["given"]
    assert options["storage"] == {"api_token": "***", "keys": ["rgb"]}
    assert len(options["video_paths"]) == 21
    assert options["video_paths"][-1] == "and 99980 more"
