"""What failed before is tried again where something has changed that it may have been due to, or as the user says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from torch_zoo.utils import attempts
from torch_zoo.utils.attempts import Attempt, is_lasting
from torch_zoo.utils.retry import Retry
from torch_zoo.utils.sinks import failures
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.types import MediaError, Outcome, Source, UsageError


@dataclass(frozen=True)
class Extractor:
    decoder: str = "auto"


@pytest.fixture(autouse=True)
def failed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`a` and `url` failed as their content is, `b` was killed, `c` is new."""
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        Path(f"{name}.mp4").write_text("x")
    a, b = source("a"), source("b")
    url = Source("https://example.org/url.mp4", "url")
    outcomes = [
        Outcome(a, "failed", "truncated", attempt=attempt(a)),
        Outcome(b, "failed", "its decoder was killed"),
        Outcome(url, "failed", "no audio stream", attempt=attempt(url)),
    ]
    Path("features").mkdir()
    failures.update("features", set(), outcomes)


def source(name: str, **changes: Any) -> Source:
    return Source(f"{name}.mp4", name, **changes)


def attempt(source: Source, extractor: Any = None) -> str:
    return Attempt.of(source, extractor or Extractor()).digest


def given_up(retry: Any, *sources: Source, extractor: Any = None, **options: Any) -> list[str]:
    chosen = sources or (*map(source, "abc"), Source("https://example.org/url.mp4", "url"))
    return list(Retry(folder="features", retry=retry, **options).given_up(chosen, extractor or Extractor()))


def test_what_is_tried_again() -> None:
    assert given_up("changed") == ["a"]
    assert given_up("all") == given_up("failed") == []
    assert given_up("none") == ["a", "b", "url"]
    assert given_up("changed", overwrite=True) == []
    assert given_up("none", overwrite=True) == ["a", "b", "url"]
    assert given_up("changed", allow_protocols=["file"]) == []


def test_what_is_given_up_stays_as_it_was_listed() -> None:
    before = Path("features/failures.csv").read_bytes()
    known = Retry(folder="features", retry="none").given_up([source("a"), source("b")], Extractor())
    failures.update("features", {"a", "b"}, [*known.values()])
    assert failures.listed("features")["a"] == ("truncated", attempt(source("a")))
    assert sorted(Path("features/failures.csv").read_bytes().splitlines()) == sorted(before.splitlines())


@pytest.mark.parametrize("change", ["size", "time", "segment", "options", "libraries", "deleted"])
def test_whatever_may_have_mended_a_source_makes_it_be_tried_again(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, chosen, extractor = Path("a.mp4"), source("a"), Extractor()
    before = path.stat()
    if change == "size":
        path.write_text("xy")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "time":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    elif change == "segment":
        chosen = source("a", end=2.0)
    elif change == "options":
        extractor = Extractor(decoder="pyav")
    elif change == "libraries":
        monkeypatch.setattr(attempts, "_versions", lambda: {"av": "99"})
    else:
        path.unlink()
    assert given_up("changed", chosen, extractor=extractor) == []


def test_a_list_without_attempts_is_tried_again() -> None:
    """As versions before wrote it."""
    Path("features/failures.csv").write_text("path,start,end,name,error\na.mp4,0.0,,a,truncated\n")
    assert given_up("changed") == []
    assert given_up("none") == ["a"]


@pytest.mark.parametrize(
    ("cause", "lasting"),
    [
        (None, True),
        (ValueError("invalid data"), True),
        (ConnectionResetError("the connection breaks off"), False),
        (OSError(5, "Input/output error"), False),
        (MemoryError(), False),
    ],
)
def test_only_what_a_file_holds_is_lasting(cause: Exception | None, lasting: bool) -> None:
    error = MediaError("truncated")
    error.__cause__ = cause
    assert is_lasting(error) == lasting
    assert not is_lasting(ValueError("a mistake of ours"))


def test_only_failures_are_retried() -> None:
    retry = Retry(folder="features", retry="failed")
    named = retry.select(Inputs(video_paths=["a.mp4", "c.mp4"]))
    assert [each.name for each in named.sources] == ["a"]
    assert named.notes == ["retry=failed: 1 of 2 sources failed before"]
    assert [each.name for each in retry.select(Inputs()).sources] == ["a", "b", "url"]
    assert [each.name for each in retry.select(Inputs(video_paths=["c.mp4"])).sources] == []


def test_nothing_to_retry_is_no_error_but_no_folder_is() -> None:
    Path("features/failures.csv").unlink()
    selection = Retry(folder="features", retry="failed").select(Inputs())
    assert (selection.sources, selection.notes) == ([], ["retry=failed: nothing has failed in features"])
    with pytest.raises(UsageError, match="retry=failed: other does not exist; give the output_path of the run that"):
        Retry(folder="other", retry="failed").select(Inputs(video_paths="a.mp4"))
    with pytest.raises(UsageError, match="no input"):
        Retry(folder="features").select(Inputs())
