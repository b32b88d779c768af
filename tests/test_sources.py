"""What the user names becomes a checked list of sources, each with a name of its own."""

from __future__ import annotations

import errno
import logging
import os
import secrets
from pathlib import Path
from typing import Any

import pytest

from torch_zoo.utils import storage
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.types import Source, UsageError


@pytest.fixture(autouse=True)
def in_a_folder_of_media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.mp4", "b.MKV", "notes.txt", "deep/c.wav", "deep/er/a.mp4", "x [1]/d.mp3"):
        (tmp_path / "media" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "media" / name).write_text("x")
    monkeypatch.chdir(tmp_path / "media")


def listed(**options: Any) -> list[str]:
    return [source.path for source in Inputs(**options).select().sources]


def from_file(name: str, content: str | bytes) -> list[Source]:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Inputs(file_with_video_paths=name).select().sources


def test_path_and_list_of_paths() -> None:
    assert Inputs(video_paths="a.mp4").select().sources == [Source("a.mp4", "a")]
    assert listed(video_paths=["b.MKV", "a.mp4"]) == ["b.MKV", "a.mp4"]


def test_file_and_paths_together() -> None:
    Path("list.txt").write_text("a.mp4")
    assert listed(video_paths="b.MKV", file_with_video_paths="list.txt") == ["b.MKV", "a.mp4"]


def test_folder_gives_its_media_sorted_and_nothing_else() -> None:
    assert listed(video_paths=".") == ["./a.mp4", "./b.MKV", "./deep/c.wav", "./deep/er/a.mp4", "./x [1]/d.mp3"]


def test_glob() -> None:
    assert listed(video_paths="*.m*4") == ["a.mp4"]
    assert listed(video_paths="**/*.mp4") == ["a.mp4", "deep/er/a.mp4"]


def test_brackets_in_a_name_that_exists_are_no_glob() -> None:
    assert listed(video_paths="x [1]/d.mp3") == ["x [1]/d.mp3"]
    assert listed(video_paths="x [1]") == ["x [1]/d.mp3"]


def test_duplicates_are_counted_with_an_example(caplog: pytest.LogCaptureFixture) -> None:
    Path("list.txt").write_text("b.MKV\n# again\n./a.mp4\nb.MKV\n")
    with caplog.at_level(logging.WARNING):
        assert listed(video_paths="a.mp4", file_with_video_paths="list.txt") == ["a.mp4", "b.MKV"]
    assert [record.message for record in caplog.records] == [
        "2 duplicates are left out, e.g. ./a.mp4 (list.txt, line 3)"
    ]


def test_hidden_files_and_folders_are_passed_over() -> None:
    for name in ("deep/._c.wav", "deep/.d.wav", "deep/.cache/e.wav"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("x")
    assert listed(video_paths="deep") == ["deep/c.wav", "deep/er/a.mp4"]
    assert listed(video_paths="deep/.d.wav") == ["deep/.d.wav"]


def test_linked_folders_are_followed_once_and_loops_end() -> None:
    Path("elsewhere").mkdir()
    Path("elsewhere/e.wav").write_text("x")
    Path("deep/link").symlink_to("../elsewhere")
    Path("deep/again").symlink_to("../elsewhere")
    Path("deep/er/loop").symlink_to("..")
    Path("deep/dangling").symlink_to("nowhere")
    assert listed(video_paths="deep") == ["deep/again/e.wav", "deep/c.wav", "deep/er/a.mp4"]


def test_folders_that_cannot_be_listed_are_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if os.path.basename(path) == "er":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert listed(video_paths="deep") == ["deep/c.wav"]
    assert "deep/er can't be listed (Permission denied); the files in it are left out" in caplog.text


def test_same_name_in_different_folders_is_told_apart_by_the_folders() -> None:
    for folder in ("one/x", "two/x"):
        Path(folder).mkdir(parents=True)
        Path(folder, "clip.mp4").write_text("x")
    sources = Inputs(video_paths=["one/x/clip.mp4", "two/x/clip.mp4", "a.mp4"]).select().sources
    assert [source.name for source in sources] == ["one_x_clip", "two_x_clip", "a"]


def test_same_name_in_one_folder_is_refused() -> None:
    Path("a.wav").write_text("x")
    with pytest.raises(UsageError, match=r"a\.mp4 and a\.wav would both be written as a; .* CSV"):
        Inputs(video_paths=["a.mp4", "a.wav"]).select()


def test_name_from_parents_may_not_meet_a_file_of_that_name() -> None:
    for path in ("one/clip.mp4", "two/clip.mp4", "one_clip.mp4"):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text("x")
    with pytest.raises(UsageError, match="would both be written as one_clip"):
        Inputs(video_paths=["one/clip.mp4", "two/clip.mp4", "one_clip.mp4"]).select()


def test_addresses_are_passed_on() -> None:
    assert Inputs(video_paths="https://host/v/clip.mp4").select().sources == [Source("https://host/v/clip.mp4", "clip")]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/v/clip.mp4?X-Amz-Signature=abc/d.e#t=1", "clip"),
        ("https://host/v/my%20clip.mp4", "my clip"),
        ("https://user:pass@host:80/?q=1", "host"),
    ],
)
def test_name_of_an_address_is_of_its_path_alone(url: str, name: str) -> None:
    assert [source.name for source in Inputs(video_paths=url).select().sources] == [name]


def test_missing_files_are_sources_unless_all_are_missing() -> None:
    selection = Inputs(video_paths=["gone.mp4", "a.mp4", "no_*.mp4"]).select()
    assert [source.path for source in selection.sources] == ["gone.mp4", "a.mp4", "no_*.mp4"]
    assert selection.missing == {"gone": "no such file", "no_*": "no such file"}
    with pytest.raises(UsageError, match=r"^no such file:\n  gone\.mp4\n  no_\*\.mp4$"):
        Inputs(video_paths=["gone.mp4", "no_*.mp4"]).select()


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.getcwd())
    assert listed(video_paths=["~/a.mp4", "~/deep"]) == [
        os.path.abspath(path) for path in ("a.mp4", "deep/c.wav", "deep/er/a.mp4")
    ]


@pytest.fixture(params=["memory", "bucket"])
def prefix(request: pytest.FixtureRequest) -> str:
    """A folder of media behind a URL."""
    url = f"memory://{secrets.token_hex(4)}" if request.param == "memory" else request.getfixturevalue("bucket")
    for name in ("v/b.mp4", "v/deep/a #1.MKV", "v/notes.txt", "v/.cache/c.mp4", "v/x [1].mp4", "w/c.mp4"):
        with storage.atomic_write(f"{url}/{name}") as file:
            file.write(b"x")
    return url


def test_folders_behind_urls(prefix: str) -> None:
    found = [f"{prefix}/v/b.mp4", f"{prefix}/v/deep/a #1.MKV", f"{prefix}/v/x [1].mp4"]
    assert listed(video_paths=f"{prefix}/v/") == found
    assert listed(video_paths=f"{prefix}/v") == found
    assert listed(video_paths=prefix) == [*found, f"{prefix}/w/c.mp4"]
    assert Inputs(video_paths=f"{prefix}/v/deep").select().sources[0].name == "a #1"


def test_patterns_of_urls(prefix: str) -> None:
    assert listed(video_paths=f"{prefix}/*/b*.mp4") == [f"{prefix}/v/b.mp4"]
    assert listed(video_paths=f"{prefix}/w/**/*.mp4") == [f"{prefix}/w/c.mp4"]
    assert listed(video_paths=f"{prefix}/v/x [1].mp4") == [f"{prefix}/v/x [1].mp4"]


def test_what_is_called_like_a_file_is_not_asked_for() -> None:
    assert listed(video_paths=["s3://no-such-bucket/a.mp4"]) == ["s3://no-such-bucket/a.mp4"]


def test_a_missing_bucket_ends_the_run(bucket: str) -> None:
    with pytest.raises(UsageError, match=r"^s3://bucket-\w+gone/v/: no such bucket$"):
        listed(video_paths=f"{bucket}gone/v/")


def test_file_urls_are_local_paths() -> None:
    here = os.getcwd()
    assert listed(video_paths=[f"file://{here}/x%20[1]/d.mp3"]) == [f"{here}/x [1]/d.mp3"]
    Path("list.csv").write_text(f"path\nfile://{here}/x%20[1]/d.mp3\nfile://{here}/my%20clip.mp4\n")
    assert [source.name for source in Inputs(file_with_video_paths="list.csv").select().sources] == ["d", "my clip"]
