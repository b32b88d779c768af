"""What fsspec does with URLs: its errors become OSErrors that people understand, and what may pass is tried again."""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from torch_zoo.utils.urls import is_web, protocol, without_secrets

T = TypeVar("T")

_systems: dict[str, Any] = {}  # file systems of this process

NO_BUCKET = "no such bucket"
PAUSES = (0.25, 1.0, 4.0)  # s before each new attempt, up to twice as long
READ_SECONDS = 30.0  # without a byte from an HTTP server

# The extras of this package that URLs need; the libraries in them repeat requests themselves.
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", "TokenRetrievalError"}
WITHOUT_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"}
TIMED_OUT = {"TimeoutError", "FSTimeoutError", "ReadTimeoutError", "ConnectTimeoutError"}
BROKEN = {"ClientPayloadError", "ServerDisconnectedError", "ConnectionResetError", "HTTPClientError", "IncompleteRead"}
UNREACHABLE = {"ConnectionError", "EndpointConnectionError", "ClientConnectionError"}
MAY_PASS = {errno.EBUSY, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EIO, errno.EPIPE, errno.ETIMEDOUT}


def attempt(url: str, action: Callable[[Any, str], T], may_repeat: Callable[[], bool] = lambda: True) -> T:
    """`action(file system, path in it)`, repeated after errors that may pass. Raises OSError."""
    for pause in (*(() if protocol(url) in EXTRAS else PAUSES), None):
        try:
            return action(*locate(url))
        except Exception as caught:
            error = translated(caught, url)
            if pause is None or error.errno not in MAY_PASS or not may_repeat():
                raise error from caught
            time.sleep(pause * (1 + random.random()))
    raise AssertionError  # the last attempt returns or raises


def locate(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, configured as fsspec always is, and the path in it. Raises OSError.

    Its threads share it, with its connections. (fsspec itself would make one for each.)
    """
    import fsspec

    name = protocol(url)
    try:
        kind = fsspec.get_filesystem_class(name)
    except ImportError as error:
        extra = EXTRAS.get(name)
        todo = f"pip install 'torch-zoo[{extra}]'" if extra else str(error)
        raise OSError(errno.ENOSYS, f"{name}:// requires another package: {todo}", without_secrets(url)) from error
    except ValueError as error:
        raise OSError(errno.EPROTONOSUPPORT, f"unknown kind of URL ({error})", without_secrets(url)) from error
    options = kind._get_kwargs_from_urls(url) | (_http_options(url) if is_web(url) else {})
    key = f"{os.getpid()} {name} {options}"
    if key not in _systems:
        _systems[key] = fsspec.filesystem(name, **options)
    return _systems[key], kind._strip_protocol(url)


def translated(error: Exception, url: str) -> OSError:
    """The error in words for people, without secrets."""
    number, words = _meaning(error)
    return OSError(number, words, without_secrets(url))


def _meaning(error: BaseException) -> tuple[int, str]:
    if isinstance(error, OSError) and error.filename and error.strerror:  # ours, or of a local file
        return error.errno or errno.EIO, error.strerror
    codes = {code for each in _chain(error) for code in _codes(each)}
    if codes & EXPIRED:
        return errno.EACCES, "the credentials have expired; renew them and run the same command again"
    if codes & WITHOUT_CREDENTIALS:
        return errno.EACCES, "no usable credentials were found; docs/storage.md says where they are looked for"
    if "NoSuchBucket" in codes:
        return errno.ENOENT, NO_BUCKET
    if codes & TIMED_OUT:
        return errno.ETIMEDOUT, "the server does not answer"
    if codes & BROKEN:
        return errno.ECONNRESET, "the connection breaks off"
    if codes & UNREACHABLE:
        return errno.EHOSTUNREACH, "the server cannot be reached"
    for status in (_status(each) for each in _chain(error)):
        if status:
            return _meaning_of_status(status)
    if isinstance(error, FileNotFoundError):
        return errno.ENOENT, "no such file"
    if isinstance(error, PermissionError):
        return errno.EACCES, "access denied"
    if isinstance(error, NotImplementedError):
        return errno.ENOSYS, "this kind of URL can't do that"
    words = f"{type(error).__name__}: {without_secrets(str(error))}".splitlines()[0]
    return (error.errno or errno.EIO) if isinstance(error, OSError) else errno.EINVAL, words


def _meaning_of_status(status: int) -> tuple[int, str]:
    if status in (401, 403):
        return errno.EACCES, f"access denied (HTTP {status})"
    if status in (404, 410):
        return errno.ENOENT, f"no such file (HTTP {status})"
    if status in (408, 429) or status >= 500:
        return errno.EBUSY, f"the server is too busy or out of order (HTTP {status})"
    return errno.EINVAL, f"the server refuses the request (HTTP {status})"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def _codes(error: BaseException) -> Iterator[str]:
    """What tells the kind of an error: its classes, and the code of S3."""
    yield from (each.__name__ for each in type(error).__mro__)
    if isinstance(response := getattr(error, "response", None), dict):  # botocore's
        yield str(response.get("Error", {}).get("Code"))


def _status(error: BaseException) -> int:
    """The HTTP status behind an error of aiohttp, botocore, gcsfs or requests; 0 if there is none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    name = {"ClientResponseError": "status", "HttpError": "code"}.get(type(error).__name__, "status_code")
    status = getattr(error, name, None) or getattr(response, "status_code", None)
    return status if isinstance(status, int) else 0


def _http_options(url: str) -> dict[str, Any]:
    """As the user configured fsspec for HTTP; the bytes as they are, no limit to a download that goes on, proxies."""
    import aiohttp
    from fsspec.config import conf

    given = conf.get(protocol(url), {})
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=READ_SECONDS, sock_read=READ_SECONDS)
    return {
        "headers": {**given.get("headers", {}), "Accept-Encoding": "identity"},
        "client_kwargs": {"timeout": timeout, "trust_env": True, **given.get("client_kwargs", {})},
        "encoded": url.isascii() and " " not in url,  # else a signature would no longer fit
    }
