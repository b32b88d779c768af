"""Paths of users: the only module that opens, lists, tests or writes what they name.

A path is a string: a local path, or a URL that fsspec knows (s3://, gs://, hf://, https://, memory://, ...). `file://`
is local. Everything raises OSError, whose `reason` is for people. fsspec is imported for URLs only.
"""

from __future__ import annotations

import errno
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO, cast

from torch_zoo.utils import files, remote
from torch_zoo.utils.urls import is_url as is_url
from torch_zoo.utils.urls import local as local

MEMORY_BYTES = 64 << 20  # of an object that is being written; larger ones wait in a temporary file
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT, errno.EACCES, errno.EPERM}
MARKS = "ETag etag md5Hash blob_id Last-Modified LastModified last_modified updated mtime modified created".split()


class Stamp(NamedTuple):
    """What changes when a file does."""

    size: int | None  # bytes
    modified: str | int | None  # local: time in ns; URL: entity tag or, where the server has none, its time


def join(folder: str, *names: str) -> str:
    return "/".join((folder.rstrip("/"), *names)) if is_url(folder) else os.path.join(local(folder), *names)


def exists(path: str) -> bool:
    """Is there a file or folder?"""
    if not is_url(path):
        return os.path.exists(local(path))
    try:
        remote.attempt(path, _fresh_info)
    except FileNotFoundError:
        return False
    return True


def stamp(path: str) -> Stamp:
    """Of a file. Raises FileNotFoundError and other OSErrors."""
    if is_url(path):
        return _remote_stamp(remote.attempt(path, _fresh_info))
    status = os.stat(local(path))
    return Stamp(status.st_size, status.st_mtime_ns)


def listing(folder: str) -> dict[str, Stamp]:
    """All files at any depth of a folder, hidden ones too, by name relative to it; nothing if there is no folder.

    A missing bucket is an OSError.
    """
    if not is_url(folder):
        return dict(_local_listing(local(folder)))
    try:
        found, root = remote.attempt(folder, _find)
    except FileNotFoundError as error:
        if reason(error) == remote.NO_BUCKET:
            raise
        return {}
    prefix = root.rstrip("/") + "/"
    there = (each for each in found.values() if each["type"] == "file" and each["name"].startswith(prefix))
    return {each["name"].removeprefix(prefix): _remote_stamp(each) for each in there if each["name"] != prefix}


def matches(pattern: str) -> list[str]:
    """URLs of the files that fit a pattern, which is a URL with wildcards after the bucket; sorted."""
    folder = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]
    root = remote.locate(folder)[1].rstrip("/") + "/"
    return sorted(join(folder, name.removeprefix(root)) for name in remote.attempt(pattern, _glob))


def open_read(path: str) -> BinaryIO:
    """The bytes of a file; seekable."""
    if not is_url(path):
        return open(local(path), "rb")  # the caller closes it
    from torch_zoo.utils.remote_file import open_remote

    return open_remote(path)


def open_text(path: str, newline: str | None = None) -> TextIO:
    """A file as UTF-8, with or without a byte order mark, and with whatever else file names hold."""
    return io.TextIOWrapper(open_read(path), encoding="utf-8-sig", errors="surrogateescape", newline=newline)


@contextmanager
def atomic_write(path: str, token: str | None = None) -> Iterator[BinaryIO]:
    """A seekable file to write to; it becomes `path` as a whole if the block succeeds, else nothing changes.

    A local one waits beside `path` under a hidden name with `token`, the default of which is the process id.
    """
    if not is_url(path):
        with files.atomic_write(Path(local(path)), token) as partial, partial.open("w+b") as opened:
            yield opened
        return
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as waiting:
        yield cast(BinaryIO, waiting)
        size = waiting.seek(0, os.SEEK_END)
        waiting.seek(0)
        if size <= MEMORY_BYTES:
            content = waiting.read()
            remote.attempt(path, lambda system, name: system.pipe_file(name, content))
        else:
            remote.attempt(path, lambda system, name: system.put_file(f"/dev/fd/{waiting.fileno()}", name))


def download(url: str, path: str) -> None:
    """The whole object behind a URL into a local file."""
    remote.attempt(url, lambda system, name: system.get_file(name, path))


def remove(path: str) -> None:
    """Remove a file, if it is there."""
    try:
        if is_url(path):
            remote.attempt(path, lambda system, name: system.rm_file(name))
        else:
            os.unlink(local(path))
    except FileNotFoundError:
        pass


def is_unwritable(path: str, error: OSError) -> bool:
    """Does this error while writing to a folder, or a file in one, mean that nothing else can be written there either?

    The disk is full or read-only, the folder is gone, or it takes no files. (What is wrong with one file is not that:
    it is too large, or it is in a folder of its own.)
    """
    if error.errno in (errno.EACCES, errno.EPERM) and not is_url(path):
        folder = local(path) if os.path.isdir(local(path)) else os.path.dirname(local(path))
        return not os.access(folder, os.W_OK | os.X_OK)
    return error.errno in UNWRITABLE


def reason(error: OSError) -> str:
    """What is wrong, for people."""
    return error.strerror or str(error)


def _fresh_info(system: Any, name: str) -> dict[str, Any]:
    system.invalidate_cache()
    found: dict[str, Any] = system.info(name)
    return found


def _glob(system: Any, pattern: str) -> list[str]:
    system.invalidate_cache()
    found = system.glob(pattern, detail=True)
    return [name for name, info in found.items() if info["type"] == "file"]


def _find(system: Any, name: str) -> tuple[dict[str, dict[str, Any]], str]:
    system.invalidate_cache()
    return system.find(name, detail=True), name


def _remote_stamp(found: dict[str, Any]) -> Stamp:
    mark = next((found[mark] for mark in MARKS if found.get(mark)), None)
    if isinstance(mark, datetime):
        mark = mark.timestamp()
    return Stamp(found.get("size"), None if mark is None else str(mark).strip('"'))


def _local_listing(folder: str) -> Iterator[tuple[str, Stamp]]:
    for place, _, names in os.walk(folder):
        for path in (os.path.join(place, name) for name in names):
            try:
                yield os.path.relpath(path, folder), stamp(path)
            except FileNotFoundError:  # removed meanwhile, or a link to nowhere
                continue
