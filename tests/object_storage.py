"""S3 on loopback: `bucket` is a new, empty bucket, which fsspec and child processes reach by the environment."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def object_storage() -> Iterator[str]:
    """The address of a server of S3's interface, in this process; the environment names it."""
    pytest.importorskip("s3fs")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "not a secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.delenv("AWS_PROFILE", raising=False)
        yield address
    server.stop()


@pytest.fixture
def bucket(object_storage: str) -> str:
    """s3://<name of a new bucket>."""
    import s3fs

    url = f"s3://bucket-{secrets.token_hex(4)}"
    s3fs.S3FileSystem().mkdir(url)
    return url
