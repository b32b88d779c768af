"""The files of keep_tmp_files: they are marked, so that later runs replace only these."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from av.error import FFmpegError
from soundfile import LibsndfileError

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.locks import lock
from torch_zoo.utils.storage import is_url
from torch_zoo.utils.types import UsageError
from torch_zoo.utils.urls import without_secrets

MARK = "kept by Torch Zoo"  # a comment in each file: near the start of WAV and JPEG, near the end of MP4
SEARCHED_BYTES = 4096
TOKEN = "kept-by-torch-zoo"  # in the names of files that are being written


def check_tmp_path(tmp_path: str) -> None:
    """Raise UsageError for a URL."""
    if is_url(tmp_path):
        raise UsageError(f"tmp_path={without_secrets(tmp_path)}: must be a local folder; output_path may be a URL")


@contextmanager
def keep_file(path: Path, source: str) -> Iterator[Path]:
    """`writing` for a file derived from the media file `source`.

    Raises OSError that names `path`: FileExistsError if it is the source, or was not kept by an earlier run.
    """
    if os.path.lexists(path):
        if os.path.exists(source) and os.path.samefile(path, source):
            raise FileExistsError(errno.EEXIST, "it is the source itself; choose another tmp_path", str(path))
        check_kept(path)
    with writing(path) as partial:
        yield partial


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """atomic_write for a file to keep; the caller must write MARK into it. Raises OSError that names `path`.

    What killed processes left half-written beside it is removed.
    """
    try:
        with ExitStack() as until_it_is_there, atomic_write(path, TOKEN) as partial:
            _remove_abandoned(path.parent)
            until_it_is_there.enter_context(_created(partial))
            yield partial
    except LibsndfileError as error:
        raise OSError(errno.EIO, f"cannot be written: {error.error_string}", str(path)) from error
    except (FFmpegError, OSError) as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror}", str(path)) from error


def check_kept(path: Path) -> None:
    """Raise FileExistsError unless this file was kept by an earlier run."""
    if not path.is_file() or MARK.encode() not in _both_ends(path):
        message = "it was not kept by an earlier run and is not replaced; choose another tmp_path"
        raise FileExistsError(errno.EEXIST, message, str(path))


def _created(partial: Path) -> BinaryIO:
    """The file, locked until it is closed: so other processes see that this one is at work on it."""
    while True:
        file = partial.open("xb")
        lock(file)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # it was removed before it was locked


@lru_cache(maxsize=16)
def _remove_abandoned(folder: Path) -> None:
    """Once in each process. Where files can't be locked, nobody knows what is abandoned, and all stays."""
    for partial in folder.glob(f".{TOKEN}.*.part"):
        with suppress(OSError), partial.open("rb+") as file:  # it may be in its place by now, or somebody else's
            if lock(file, wait=False):
                partial.unlink()


def _both_ends(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(SEARCHED_BYTES)
        file.seek(max(0, path.stat().st_size - SEARCHED_BYTES))
        return head + file.read()
