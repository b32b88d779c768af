"""Names of sources are unique, short enough for a file system, and hold no secrets."""

from __future__ import annotations

import os

import pytest

from torch_zoo.utils import naming
from torch_zoo.utils.types import Source


def test_names_are_made_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f"{number}/x/video.mp4" for number in range(2000)]
    count, abspath = [0], os.path.abspath

    def counted(path: str) -> str:
        count[0] += 1
        return abspath(path)

    monkeypatch.setattr(os.path, "abspath", counted)
    names = [source.name for source in naming.disambiguate_names([Source(path, "video") for path in paths])]
    assert names == [f"{number}_x_video" for number in range(2000)]
    assert count[0] <= len(paths)


def test_a_hundred_thousand_files_of_one_name() -> None:
    sources = naming.disambiguate_names([Source(f"{number}/video.mp4", "video") for number in range(100_000)])
    assert sources[-1].name == "99999_video"


def test_names_that_no_file_system_takes_are_shortened() -> None:
    long = ["ä" * 120 + tail for tail in "xy"]
    names = [source.name for source in naming.disambiguate_names([Source(f"{name}.mp4", name) for name in long])]
    assert len(set(names)) == 2
    assert all(name.startswith("ä" * 90) and len(name.encode()) <= 200 for name in names)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("https://me:pass@host/a.mp4", "https://***@host/a.mp4"),
        ("https://h/a.mp4?v=1&X-Amz-Signature=ab&token=c#t", "https://h/a.mp4?***#t"),
        ("https://host/me@home.mp4?v=1", "https://host/me@home.mp4?v=1"),
        ("a@b?key=c.mp4", "a@b?key=c.mp4"),
    ],
)
def test_secrets_of_an_address_are_not_shown(path: str, shown: str) -> None:
    assert naming.label(Source(path, "a")) == shown
