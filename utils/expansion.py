"""What a path stands for: a file, the media in a folder, or the files of a pattern; local or behind a URL."""

from __future__ import annotations

import glob
import logging
import os
from collections import deque
from pathlib import Path, PurePath

from torch_zoo.utils import storage
from torch_zoo.utils.storage import is_url, local
from torch_zoo.utils.types import UsageError
from torch_zoo.utils.urls import is_web, without_secrets

log = logging.getLogger(__name__)

MEDIA_SUFFIXES = frozenset(
    ".3gp .aac .ac3 .aif .aiff .amr .asf .avi .caf .flac .flv .m2ts .m4a .m4b .m4v .mka .mkv .mov .mp2 .mp3 .mp4 "
    ".mpeg .mpg .mts .mxf .oga .ogg .ogv .opus .ra .rm .ts .vob .wav .webm .wma .wmv".split()
)


def expand(path: str) -> list[str]:
    """A file as it is, also a missing one; of a folder the media at any depth, of a pattern the files; sorted.

    Raises UsageError for a folder or pattern behind a URL that can't be listed.
    """
    if is_url(path):
        return _expand_url(path)
    path = local(path)
    if path.startswith("~/") and not os.path.exists(path):
        path = os.path.expanduser(path)
    if os.path.isdir(path):
        return media_files(path) or [path]
    if not os.path.exists(path) and glob.has_magic(path):
        return sorted(glob.glob(path, recursive=True)) or [path]
    return [path]


def media_files(folder: str) -> list[str]:
    """Media at any depth of a folder, sorted; hidden files and folders are skipped.

    Linked folders are followed, after the real ones, and each folder is listed once, so that links can't loop.
    """
    listed: set[tuple[int, int]] = set()
    files: list[str] = []
    waiting = deque([folder])
    while waiting:
        for place, folders, names in os.walk(waiting.popleft(), onerror=_warn_unlisted):
            status = os.stat(place)
            if (status.st_dev, status.st_ino) in listed:
                folders.clear()
                continue
            listed.add((status.st_dev, status.st_ino))
            folders[:] = [name for name in folders if not name.startswith(".")]
            waiting.extend(link for name in folders if os.path.islink(link := os.path.join(place, name)))
            media = (name for name in names if _is_media(name))
            files += [os.path.join(place, name) for name in media if not name.startswith(".")]
    return sorted(files)


def _expand_url(url: str) -> list[str]:
    if is_web(url) or (_is_media(url) and not glob.has_magic(url)):
        return [url]  # a web server has no folders, and what is called like a file need not be asked for
    try:
        if glob.has_magic(url):
            return ([url] if storage.exists(url) else storage.matches(url)) or [url]
        names = (name for name in storage.listing(url) if _is_media(name))
        visible = (name for name in names if not any(part.startswith(".") for part in PurePath(name).parts))
        return [storage.join(url, name) for name in sorted(visible)] or [url]
    except OSError as error:
        raise UsageError(f"{without_secrets(url)}: {storage.reason(error)}") from error


def _is_media(name: str) -> bool:
    return Path(name).suffix.lower() in MEDIA_SUFFIXES


def _warn_unlisted(error: OSError) -> None:
    log.warning("%s can't be listed (%s); the files in it are left out", error.filename, error.strerror)
