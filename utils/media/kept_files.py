"""What keep_tmp_files leaves: marked as ours, so that a later run replaces nothing else."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av.error import FFmpegError
from soundfile import LibsndfileError

from torch_zoo.utils.files import atomic_write

MARK = "kept by Torch Zoo"  # a comment in each file: near the start of WAV and JPEG, near the end of MP4
SEARCHED_BYTES = 4096


@contextmanager
def keep_file(path: Path, source: str) -> Iterator[Path]:
    """atomic_write for what was made of the media file `source`; the writer has to put MARK into the file.

    Raises OSError that names `path`: FileExistsError where it is the source, or no file of an earlier run.
    """
    if os.path.lexists(path):
        if os.path.exists(source) and os.path.samefile(path, source):
            raise FileExistsError(errno.EEXIST, "it is the source itself; choose another tmp_path", str(path))
        check_kept(path)
    with naming(path), atomic_write(path) as partial:
        yield partial


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors while the file is written become OSError that names it."""
    try:
        yield
    except LibsndfileError as error:
        raise OSError(errno.EIO, f"cannot be written: {error.error_string}", str(path)) from error
    except (FFmpegError, OSError) as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror}", str(path)) from error


def check_kept(path: Path) -> None:
    """Raise FileExistsError unless an earlier run kept this file."""
    if not path.is_file() or MARK.encode() not in _both_ends(path):
        message = "no earlier run kept it here, so it is not replaced; choose another tmp_path"
        raise FileExistsError(errno.EEXIST, message, str(path))


def _both_ends(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(SEARCHED_BYTES)
        file.seek(max(0, path.stat().st_size - SEARCHED_BYTES))
        return head + file.read()
