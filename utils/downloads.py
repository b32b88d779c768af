"""Published files: downloaded once into torch.hub's cache, and verified. Nothing here imports torch."""

from __future__ import annotations

import logging
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from torch_zoo.utils import storage
from torch_zoo.utils.digests import digest, git_blob, sha256
from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.types import UsageError
from torch_zoo.utils.urls import is_encrypted, split_url, without_secrets

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30

_postponed = ContextVar("_postponed", default=False)


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file that others publish: weights, parameters, a list of a data set. Raises ValueError if not over HTTPS."""

    url: str
    sha256: str  # hex; only the leading digits if no more are published, empty if none are
    license: str
    git_blob: str = ""  # hex; the file's Git object ID, if no SHA-256 is published
    name: str = ""  # of the cached file, if the URL's last part is ambiguous

    def __post_init__(self) -> None:
        if not is_encrypted(self.url):
            raise ValueError(f"{self.url}: must be an HTTPS URL")

    @property
    def cached(self) -> Path:
        """Its place in torch.hub's cache."""
        return hub_cache() / (self.name or self.url.rsplit("/", 1)[-1])


@contextmanager
def postponed() -> Iterator[None]:
    """In the block, published files that are not in the cache are only named."""
    token = _postponed.set(True)
    try:
        yield
    finally:
        _postponed.reset(token)


def hub_cache() -> Path:
    """torch.hub's folder of checkpoints, by the rules of torch.hub.get_dir."""
    base = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(base, "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


def resolve_file(given: str, published: PublishedFile, option: str) -> Path:
    """`pretrained` -> the published file, downloaded if necessary; else the given path. Raises UsageError."""
    if given == "pretrained":
        return verified(published, option)[0]
    path = local_copy(given, option)
    if not path.is_file():
        raise UsageError(f"{option}={given}: no such file; give a path, or pretrained")
    return path


def local_copy(given: str, option: str) -> Path:
    """A path as it is; of a URL, the file in the cache, fetched unless this version of it is there.

    A version is told by its size and entity tag. Raises UsageError.
    """
    if not storage.is_url(given):
        return Path(storage.local(given)).expanduser()
    shown = without_secrets(given)
    try:
        version = storage.stamp(given)
        key = digest(repr((given.split("?")[0], version)).encode())
        path = hub_cache() / "urls" / key / PurePosixPath(split_url(given)[1]).name
        if not path.exists():
            with lock(path):
                if not path.exists():
                    with atomic_write(path) as partial:
                        storage.download(given, str(partial))
                        if version.size not in (None, partial.stat().st_size):
                            raise OSError(f"{partial.stat().st_size} of {version.size} bytes came")
    except OSError as error:
        raise UsageError(f"{option}={shown}: {storage.reason(error)}") from error
    return path


def verified(published: PublishedFile, option: str, otherwise: str = "") -> tuple[Path, str]:
    """The cached file, downloaded if necessary and not `postponed`, and its SHA-256.

    Raises UsageError, which names the option that takes a path, and ends in what to do `otherwise`.
    """
    path = published.cached
    try:
        if not path.exists() and _postponed.get():
            return path, ""
        if not path.exists():  # a cache that has the file may be read-only
            with lock(path):  # the first process downloads
                if not path.exists():
                    _download(published, path)
    except OSError as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UsageError(
            f"cannot download {published.url} ({reason}). Download it by hand and put it at {path}, "
            f"or name it with {option}=PATH" + otherwise
        ) from error
    content = sha256(path)
    if not _is_intact(path, content, published):
        raise UsageError(f"{path}: its digest is not that of {published.url}; delete it and retry")
    return path, content


def lock(path: Path) -> AbstractContextManager[object]:
    """Keeps other processes from making the same file of the cache."""
    from filelock import FileLock  # takes an eighth of a second, which most runs can do without

    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{path}.lock")


def _is_intact(path: Path, content: str, published: PublishedFile) -> bool:
    if published.git_blob and git_blob(path) != published.git_blob:
        return False
    return content.startswith(published.sha256)


def _download(published: PublishedFile, path: Path) -> None:
    with atomic_write(path) as partial:
        opener = urllib.request.build_opener(_EncryptedRedirects)
        with opener.open(published.url, timeout=TIMEOUT_SECONDS) as response, partial.open("wb") as file:
            size = int(response.headers.get("Content-Length", 0)) or None
            with tqdm.wrapattr(response, "read", total=size, desc=path.name) as counted:
                shutil.copyfileobj(counted, file, 1 << 20)
        content = sha256(partial)
        if not _is_intact(partial, content, published):
            raise OSError("the download is not the published file: its digest differs")
    if not (published.sha256 or published.git_blob):
        log.warning("%s: no checksum is published; the SHA-256 of what came is %s", published.url, content)


class _EncryptedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects over HTTPS, and no others."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not is_encrypted(newurl):
            raise urllib.error.URLError(f"it redirects to {without_secrets(newurl)}, which is not HTTPS")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
