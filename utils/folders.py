"""Media files in folders, local ones or URLs, and by patterns."""

from __future__ import annotations

import glob
import logging
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from torch_zoo.utils import storage
from torch_zoo.utils.types import UsageError

log = logging.getLogger(__name__)

MEDIA_SUFFIXES = frozenset(
    ".3gp .aac .ac3 .aif .aiff .amr .asf .avi .caf .flac .flv .m2ts .m4a .m4b .m4v .mka .mkv .mov .mp2 .mp3 .mp4 "
    ".mpeg .mpg .mts .mxf .oga .ogg .ogv .opus .ra .rm .ts .vob .wav .webm .wma .wmv".split()
)


def expand(path: str) -> list[str]:
    """A file as it is; of a folder, a URL that ends in a slash, or a pattern: the media in it. Raises UsageError."""
    if storage.is_url(path):
        return (media_files(path) or [path]) if path.endswith("/") else [path]
    path = storage.local(path)
    if path.startswith("~/") and not os.path.exists(path):
        path = os.path.expanduser(path)
    if os.path.isdir(path):
        return media_files(path) or [path]
    if glob.has_magic(path) and not os.path.exists(path):
        return sorted(glob.glob(path, recursive=True)) or [path]
    return [path]


def media_files(folder: str) -> list[str]:
    """Media at any depth of a folder, sorted; hidden files and folders are skipped. Raises UsageError for a URL.

    Linked folders are followed, after the real ones, and each folder is listed once, so that links can't loop.
    """
    files = _listed(folder) if storage.is_url(folder) else _walked(folder)
    return sorted(file for file in files if Path(file).suffix.lower() in MEDIA_SUFFIXES)


def _listed(folder: str) -> Iterator[str]:
    try:
        names = storage.listing(folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be listed: {storage.reason(error)}") from error
    return (storage.join(folder, name) for name in names if not any(part.startswith(".") for part in name.split("/")))


def _walked(folder: str) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()
    waiting = deque([folder])
    while waiting:
        for place, folders, names in os.walk(waiting.popleft(), onerror=_warn_unlisted):
            status = os.stat(place)
            if (status.st_dev, status.st_ino) in seen:
                folders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            folders[:] = [name for name in folders if not name.startswith(".")]
            waiting.extend(link for name in folders if os.path.islink(link := os.path.join(place, name)))
            yield from (os.path.join(place, name) for name in names if not name.startswith("."))


def _warn_unlisted(error: OSError) -> None:
    log.warning("%s can't be listed (%s); the files in it are left out", error.filename, error.strerror)
