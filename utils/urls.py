"""URLs as text: which paths are URLs, and what of them may be shown."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

from torch_zoo.utils.types import UsageError

_URL = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_QUERY = re.compile(r"\?[^#]*")
_SECRET = re.compile(r"[?&;][^=&;]*(?:token|sign|sig|key|passw|secret|credential|policy|hmac)[^=&;]*=", re.IGNORECASE)
_USER = re.compile(r"(://)[^/?#]*@")


def is_url(path: str) -> bool:
    """Is it more than a local path, such as s3://bucket/clip.mp4? (file:///clip.mp4 is local.)"""
    return _URL.match(path) is not None


def local(path: str) -> str:
    """A local path as it is, or that of a `file://` URL. Raises UsageError for what is no URL."""
    return unquote(_split(path).path) if path.lower().startswith("file://") else path


def protocol(url: str) -> str:
    """`s3` of s3://bucket/clip.mp4."""
    return url.split("://")[0].lower()


def is_web(url: str) -> bool:
    return protocol(url) in ("http", "https")


def is_encrypted(url: str) -> bool:
    """Does it come over HTTPS, so that nobody on the way can change it?"""
    return protocol(url) == "https"


def split_url(url: str) -> tuple[str, str]:
    """Host or bucket, and the path, from its slash on; that of HTTP unquoted and without its query.

    Raises UsageError for what is no URL.
    """
    if is_web(url):
        parts = _split(url)
        return parts.hostname or "", unquote(parts.path)
    host, slash, path = url.split("://", 1)[1].partition("/")
    return host.rpartition("@")[2], slash + path


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{without_secrets(url)}: not a URL ({error})") from error


def without_secrets(path: str) -> str:
    """A URL without its user and password and, where its query signs it, without its query; other paths as they are."""
    if not is_url(path):
        return path
    shown = _USER.sub(r"\1***@", path)
    query = _QUERY.search(shown)
    return _QUERY.sub("?***", shown, count=1) if query and _SECRET.search(query[0]) else shown
