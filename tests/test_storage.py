"""One layer for local paths and URLs: the same calls, the same answers."""

from __future__ import annotations

import errno
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT

from torch_zoo.utils import storage
from torch_zoo.utils.storage import Stamp
from torch_zoo.utils.urls import without_secrets


@pytest.fixture(params=["local", "file", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder that is not there yet."""
    kinds = {
        "local": f"{tmp_path}/a b",
        "file": f"file://{tmp_path}/a%20b",
        "memory": f"memory://{secrets.token_hex(4)}",
    }
    return kinds[request.param]


def put(path: str, content: bytes) -> None:
    with storage.atomic_write(path) as file:
        file.write(content)


def get(path: str) -> bytes:
    with storage.open_read(path) as file:
        return file.read()


def test_what_is_written_is_read_and_listed(folder: str) -> None:
    path = storage.join(folder, "deep", "x.bin")
    assert not storage.exists(path)
    put(path, b"0123456789")
    put(storage.join(folder, ".hidden"), b"")
    assert storage.exists(path) and storage.exists(folder)
    assert get(path) == b"0123456789"
    assert storage.stamp(path).size == 10
    listed = storage.listing(folder)
    assert {name: each.size for name, each in listed.items()} == {"deep/x.bin": 10, ".hidden": 0}
    assert listed["deep/x.bin"] == storage.stamp(path)


def test_files_are_seekable(folder: str) -> None:
    content = bytes(range(256)) * 20_000  # 5 MB: several blocks
    put(path := storage.join(folder, "x"), content)
    with storage.open_read(path) as file:
        for start, number in ((5_000_000, 100), (2_097_150, 5), (0, 3), (5_119_999, 10)):
            assert file.seek(start) == start
            assert file.read(number) == content[start : start + number]
        assert file.seek(-4, os.SEEK_END) == len(content) - 4
        assert file.read() == content[-4:]
        assert file.tell() == len(content)


def test_a_stamp_changes_with_the_content(folder: str) -> None:
    put(path := storage.join(folder, "x"), b"a")
    before = storage.stamp(path)
    put(path, b"bb")
    assert storage.stamp(path) != before


def test_an_error_while_writing_changes_nothing(folder: str) -> None:
    put(path := storage.join(folder, "x"), b"before")
    with pytest.raises(ZeroDivisionError), storage.atomic_write(path, "token") as file:
        file.write(b"after")
        raise ZeroDivisionError
    assert get(path) == b"before"
    assert list(storage.listing(folder)) == ["x"]


def test_a_file_is_not_there_before_all_of_it_is(folder: str) -> None:
    path = storage.join(folder, "x")
    with storage.atomic_write(path) as file:
        file.write(b"head, ")
        file.flush()
        assert not storage.exists(path)
        file.write(b"tail")
        file.seek(0)
        assert file.read(4) == b"head"
    assert get(path) == b"head, tail"


def test_removing(folder: str) -> None:
    put(path := storage.join(folder, "x"), b"")
    storage.remove(path)
    storage.remove(path)
    assert not storage.exists(path)


def test_what_is_missing(folder: str) -> None:
    assert storage.listing(folder) == {}
    for ask in (storage.stamp, storage.open_read, storage.open_text):
        with pytest.raises(FileNotFoundError) as caught:
            ask(storage.join(folder, "x"))
        assert storage.reason(caught.value) in ("no such file", os.strerror(errno.ENOENT))


def test_text_of_any_kind(folder: str) -> None:
    put(path := storage.join(folder, "x.csv"), b"\xef\xbb\xbfa\xff\r\nb\n")
    with storage.open_text(path, newline="") as file:
        assert file.read() == "a\udcff\r\nb\n"


def test_large_files_are_written_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MEMORY_BYTES", 1000)
    path = f"memory://{secrets.token_hex(4)}/large"
    put(path, bytes(5000))
    assert get(path) == bytes(5000)


def test_paths_that_are_no_urls() -> None:
    for path in ("clip.mp4", "/a/b://c", "12:30.mp4", "file:///a", "://", "a/s3://b"):
        assert not storage.is_url(path)
    for path in ("s3://b/k", "https://h/x", "gs://b", "FTP://h/x", "git+ssh://h/x"):
        assert storage.is_url(path)


def test_local_listing_has_the_time_in_ns(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    os.utime(tmp_path / "x", ns=(5, 7))
    (tmp_path / "nowhere").symlink_to("gone")
    assert storage.listing(str(tmp_path)) == {"x": Stamp(3, 7)}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pass@host/a.mp4", "https://***@host/a.mp4"),
        ("https://h/a.mp4?v=1&X-Amz-Signature=ab&token=c#t", "https://h/a.mp4?***#t"),
        ("https://h/a.mp4?Policy=abc~&Key-Pair-Id=K", "https://h/a.mp4?***"),
        ("https://h/watch?v=a", "https://h/watch?v=a"),
        ("a@b?token=c.mp4", "a@b?token=c.mp4"),
    ],
)
def test_secrets_are_not_shown(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_unknown_kinds_of_urls_and_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match=r"unknown kind of URL.*nonsense"):
        storage.stamp("nonsense://a/b")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(OSError, match=r"gs:// requires another package: pip install 'torch-zoo\[gcs\]'"):
        storage.stamp("gs://a/b")


LOCAL_RUN = """
import importlib, sys
from torch_zoo.utils import storage
from torch_zoo.utils.media.audio import open_audio
from torch_zoo.utils.expansion import expand
from torch_zoo.utils.types import Source
for module in ("engines.decoder", "engines.worker", "media.video", "sinks.files", "sinks.table", "sources"):
    importlib.import_module(f"torch_zoo.utils.{module}")
with storage.atomic_write(sys.argv[1]) as file:
    file.write(b"x")
storage.open_read(sys.argv[1]).close()
storage.listing("sample")
[path] = expand(sys.argv[2])
with open_audio(Source(path, "x")) as audio:
    assert list(audio.blocks)
print(*sorted({"aiohttp", "asyncio", "botocore", "fsspec", "requests", "s3fs", "torch"} & set(sys.modules)))
"""


def test_what_urls_need_is_not_imported_for_local_files(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOCAL_RUN, str(tmp_path / "x"), str(ROOT / "sample" / "music.mp4")]
    ran = subprocess.run(command, timeout=60, capture_output=True, text=True, cwd=ROOT)
    assert (ran.returncode, ran.stdout) == (0, "\n"), ran.stderr
