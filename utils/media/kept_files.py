"""The files of keep_tmp_files: they are marked, so that later runs replace only these."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av.error import FFmpegError
from soundfile import LibsndfileError

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.storage import is_url
from torch_zoo.utils.types import UsageError
from torch_zoo.utils.urls import without_secrets

MARK = "kept by Torch Zoo"  # a comment in each file: near the start of WAV and JPEG, near the end of MP4
SEARCHED_BYTES = 4096


def check_tmp_path(tmp_path: str) -> None:
    """Raise UsageError for a URL."""
    if is_url(tmp_path):
        raise UsageError(f"tmp_path={without_secrets(tmp_path)}: must be a local folder; output_path may be a URL")


@contextmanager
def keep_file(path: Path, source: str) -> Iterator[Path]:
    """atomic_write for a file derived from the media file `source`; the caller must write MARK into it.

    Raises OSError that names `path`: FileExistsError if it is the source, or was not kept by an earlier run.
    """
    if os.path.lexists(path):
        if os.path.exists(source) and os.path.samefile(path, source):
            raise FileExistsError(errno.EEXIST, "it is the source itself; choose another tmp_path", str(path))
        check_kept(path)
    with naming(path), atomic_write(path) as partial:
        yield partial


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn errors while writing the file into OSError that names it."""
    try:
        yield
    except LibsndfileError as error:
        raise OSError(errno.EIO, f"cannot be written: {error.error_string}", str(path)) from error
    except (FFmpegError, OSError) as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror}", str(path)) from error


def check_kept(path: Path) -> None:
    """Raise FileExistsError unless this file was kept by an earlier run."""
    if not path.is_file() or MARK.encode() not in _both_ends(path):
        message = "it was not kept by an earlier run and is not replaced; choose another tmp_path"
        raise FileExistsError(errno.EEXIST, message, str(path))


def _both_ends(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(SEARCHED_BYTES)
        file.seek(max(0, path.stat().st_size - SEARCHED_BYTES))
        return head + file.read()
