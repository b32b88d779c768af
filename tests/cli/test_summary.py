"""The first line of a run, and the last ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.utils.engines.news import Devices
from torch_zoo.utils.terminal.about import About, settings
from torch_zoo.utils.terminal.progress import Progress, Reporting
from torch_zoo.utils.terminal.status import significant
from torch_zoo.utils.terminal.summary import FAILURES_SHOWN
from torch_zoo.utils.types import Outcome, Source

ABOUT = About(feature_type="vggish", settings=["weights random", "hop_seconds=0.48"])


def sources(*names: str) -> list[Source]:
    return [Source(f"clips/{name}.mp4", name) for name in names]


def test_off_is_silent_but_for_failures_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(Reporting(folder=str(tmp_path), progress="off"), ABOUT) as progress:
        progress.begin(sources("a"))
        progress.tell("", Devices(["cpu"], 2))
        progress.add(Outcome(sources("a")[0], "failed", "truncated"))
        assert capsys.readouterr().err == ""
    first, *others = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"0 done, 0 skipped, 0 empty, 1 failed; \d\.\d s", first)
    assert others == ["  clips/a.mp4: truncated"]


def test_failures_are_said_at_once_and_again_where_they_are_out_of_sight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[str] = []
    with Progress(Reporting(folder=str(tmp_path), progress="log"), ABOUT, kept.append) as progress:
        progress.begin(every := sources(*map(str, range(50))))
        for source in every:
            progress.add(Outcome(source, "failed", "truncated"))
    said = capsys.readouterr().err.splitlines()
    live = [f"failed: clips/{number}.mp4: truncated" for number in range(50)]
    assert said[:50] == live == kept[:50]
    again = [f"  clips/{number}.mp4: truncated" for number in range(50 - FAILURES_SHOWN)]
    assert said[51:] == [*again[:FAILURES_SHOWN], "  and 10 more"]


def test_the_speed_has_digits_that_mean_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [significant(number) for number in (0.00123, 0.0571, 0.5, 5.714, 57.14, 5714.2)] == [
        *("0.00123", "0.0571", "0.500", "5.71", "57.1", "5714"),
    ]
    now = [0.0]
    with Progress(Reporting(folder=str(tmp_path), progress="log"), ABOUT, clock=lambda: now[0]) as progress:
        progress.begin(sources("a"))
        now[0] = 207.0
        progress.add(Outcome(sources("a")[0], "done", media_seconds=9.6))
    assert "9.6 s of media in 207.0 s (0.0464 times real time)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "cores", "expected"),
    [
        (["cpu"], 1, "cpu (1 core)"),
        (["cpu", "cpu"], 4, "2 x cpu (4 cores each)"),
        (["cuda:0", "cuda:2"], 8, "cuda:0, cuda:2"),
        (["cuda"] * 16, 8, "16 x cuda"),
    ],
)
def test_the_first_line_names_the_devices(names: list[str], cores: int, expected: str) -> None:
    assert ABOUT.opening(Devices(names, cores), 1, 0) == f"vggish on {expected}, {', '.join(ABOUT.settings)}: 1 source"


def test_the_first_line_has_what_the_user_set_of_the_extractor() -> None:
    given = {"checkpoint": "random", "hop_seconds": 0.48, "normalize": True, "pooling": None, "output_path": "x"}
    assert settings({"preset": "google"}, given, VGGishExtractor(checkpoint="random")) == [
        *("weights random", "preset=google", "hop_seconds=0.48", "normalize=true", "pooling=null"),
    ]
    url = VGGishExtractor(checkpoint="https://me:pass@host/weights.pth?token=secret")
    assert settings({}, {}, url) == ["weights https://***@host/weights.pth?***"]
