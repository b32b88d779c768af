"""What is behind a URL, over real connections: S3 and HTTP servers on loopback, and what can go wrong with them."""

from __future__ import annotations

import os

import pytest
from faulty_server import Web

from torch_zoo.utils import remote, storage

CONTENT = bytes(os.urandom(5_000_000))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES", (0.01, 0.01, 0.01))


def put(path: str, content: bytes) -> None:
    with storage.atomic_write(path) as file:
        file.write(content)


def get(path: str) -> bytes:
    with storage.open_read(path) as file:
        return file.read()


def why(path: str) -> str:
    with pytest.raises(OSError) as caught:
        get(path)
    return storage.reason(caught.value)


def test_a_bucket_is_a_folder(bucket: str) -> None:
    put(path := storage.join(bucket, "deep", "x.bin"), CONTENT)
    put(storage.join(bucket, ".hidden"), b"")
    assert get(path) == CONTENT
    listed = storage.listing(bucket)
    assert {name: each.size for name, each in listed.items()} == {"deep/x.bin": len(CONTENT), ".hidden": 0}
    assert storage.listing(bucket + "/deep") == {"x.bin": storage.stamp(path)}
    before = storage.stamp(path)
    put(path, CONTENT[::-1])
    assert storage.stamp(path) != before
    storage.remove(path)
    assert not storage.exists(path)
    assert storage.listing(bucket + "/deep") == {}


def test_large_objects_are_written_in_parts(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MEMORY_BYTES", 1_000_000)
    put(bucket + "/large", CONTENT)
    assert get(bucket + "/large") == CONTENT


def test_missing_objects_and_buckets(bucket: str) -> None:
    assert why(bucket + "/gone") == "no such file"
    assert "no such" in why(bucket + "gone/x")
    with pytest.raises(FileNotFoundError, match="no such bucket"):
        storage.listing(bucket + "gone")
    with pytest.raises(OSError, match="no such bucket"):
        put(bucket + "gone/x", b"")


def test_web_files(web: Web) -> None:
    url = web.put("v/x.bin", CONTENT, etag="abc")
    assert get(url) == CONTENT
    assert storage.stamp(url) == (len(CONTENT), "abc")
    assert why(url + "gone") == "no such file (HTTP 404)"


@pytest.mark.parametrize("faults", [{"ranges": False}, {"sized": False}, {"drops": 2}, {"statuses": [503, 500]}])
def test_servers_with_faults_that_do_no_harm(faults: dict[str, object], web: Web) -> None:
    url = web.put("x.bin", CONTENT, **faults)
    with storage.open_read(url) as file:
        file.seek(3_000_000)
        assert file.read(1000) == CONTENT[3_000_000:3_001_000]
    assert get(url) == CONTENT


def test_an_error_that_stays_is_told_without_secrets(web: Web) -> None:
    url = web.put("x.bin", CONTENT, statuses=[403] * 9)
    with pytest.raises(PermissionError, match=r"access denied \(HTTP 403\): .*/x\.bin\?\*\*\*'$") as caught:
        get(url + "?token=hush")
    assert "hush" not in str(caught.value)
    assert len([each for each in web.asked if each[0] == "GET"]) == 1  # denied once is denied


def s3_error(code: str, status: int) -> Exception:
    """As s3fs raises it."""
    from botocore.exceptions import ClientError
    from s3fs.errors import translate_boto_error

    response = {"Error": {"Code": code, "Message": "secret"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return translate_boto_error(ClientError(response, "GetObject"))


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("ExpiredToken", 400, "the credentials have expired; renew them and run the same command again"),
        ("AccessDenied", 403, "access denied (HTTP 403)"),
        ("SignatureDoesNotMatch", 403, "access denied (HTTP 403)"),
        ("NoSuchBucket", 404, "no such bucket"),
        ("SlowDown", 503, "the server is too busy or out of order (HTTP 503)"),
    ],
)
def test_what_s3_says_in_words(code: str, status: int, words: str) -> None:
    error = remote.translated(s3_error(code, status), "s3://bucket/x")
    assert (error.strerror, error.filename) == (words, "s3://bucket/x")
    assert (error.errno in remote.MAY_PASS) == (status == 503)


def test_what_botocore_says_in_words() -> None:
    exceptions = pytest.importorskip("botocore.exceptions")
    for error, words in (
        (exceptions.NoCredentialsError(), "no usable credentials were found"),
        (exceptions.ProfileNotFound(profile="x"), "no usable credentials were found"),
        (exceptions.EndpointConnectionError(endpoint_url="http://h"), "the server cannot be reached"),
        (exceptions.ReadTimeoutError(endpoint_url="http://h"), "the server does not answer"),
    ):
        assert str(remote.translated(error, "s3://bucket/x").strerror).startswith(words)
