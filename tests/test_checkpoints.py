"""Weights are resolved, downloaded once, verified, and refused if they don't fit."""

from __future__ import annotations

import hashlib
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from command import ROOT
from https_server import ADDRESS, Server
from tiny_network import NOWHERE, loaded, state

from torch_zoo.utils import checkpoints, downloads
from torch_zoo.utils.checkpoints import resolve
from torch_zoo.utils.downloads import PublishedFile
from torch_zoo.utils.types import UsageError


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "hub" / "checkpoints"


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[Server]:
    path = tmp_path / "served.pth"
    torch.save(state(), path)
    served = Server(path.read_bytes(), tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    thread = threading.Thread(target=served.http.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.http.shutdown()
    served.http.server_close()
    thread.join()


def assert_equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_random_weights_depend_on_the_seed_alone():
    first = loaded(resolve("random", NOWHERE, 7))
    torch.manual_seed(3)
    assert_equal(first, loaded(resolve("random", NOWHERE, 7)))
    assert not torch.equal(first["0.weight"], loaded(resolve("random", NOWHERE, 8))["0.weight"])
    assert resolve("random", NOWHERE, 7).identity != resolve("random", NOWHERE, 8).identity


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_file_of_weights_is_loaded_as_it_is(zipped, tmp_path):
    weights = state()
    torch.save(weights, tmp_path / "mine.pth", _use_new_zipfile_serialization=zipped)
    assert_equal(loaded(resolve(str(tmp_path / "mine.pth"), NOWHERE, 0)), weights)


def test_the_identity_of_a_file_is_its_content(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"the same")
    (tmp_path / "c").write_bytes(b"something else")
    a, b, c = (resolve(str(tmp_path / name), NOWHERE, 0).identity for name in "abc")
    assert a == b != c
    assert hashlib.sha256(b"the same").hexdigest() in a


def test_a_path_that_is_not_there():
    with pytest.raises(UsageError, match=r"checkpoint=gone\.pth: no such file.*pretrained, demo or random"):
        resolve("gone.pth", NOWHERE, 0)


def test_a_seed_that_torch_does_not_take_is_named():
    with pytest.raises(UsageError, match="seed=100000000000000000000: must fit into 64 bits"):
        resolve("random", NOWHERE, 10**20)
    for seed in (checkpoints.SEEDS[0], checkpoints.SEEDS[-1]):
        loaded(resolve("random", NOWHERE, seed))


def test_a_download_lands_whole_in_the_cache_of_torch_hub(server, cache):
    checkpoint = resolve("pretrained", server.published(), 0)
    assert checkpoint.path.parent == cache
    assert str(cache) == str(Path(torch.hub.get_dir()) / "checkpoints")
    assert checkpoint.path.read_bytes() == server.content
    loaded(checkpoint)
    resolve("pretrained", server.published(), 0)
    assert server.requests == 1


def test_a_cache_that_has_the_file_may_be_read_only(server, cache, monkeypatch):
    first = resolve("pretrained", server.published(), 0)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert resolve("pretrained", server.published(), 0) == first
    first.path.unlink()
    with pytest.raises(UsageError, match=r"cannot download .*Permission denied"):
        resolve("pretrained", server.published(), 0)


@pytest.mark.parametrize("fault", ["wrong hash", "cut short"])
def test_a_wrong_download_leaves_nothing_behind(fault, server, cache):
    published = server.published("0123abcd" if fault == "wrong hash" else None)
    if fault == "cut short":
        server.content = server.content[:-100]
    with pytest.raises(UsageError, match=r"cannot download https://127\.0\.0\.1.*\(.+\)"):
        resolve("pretrained", published, 0)
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []


def test_published_files_come_over_https():
    assert [path for path in (ROOT / "models").rglob("*.py") if "http://" in path.read_text()] == []
    with pytest.raises(ValueError, match=r"http://host/net\.pth: must be an HTTPS URL"):
        PublishedFile("http://host/net.pth", "00", "none")


def test_a_redirect_is_followed_over_https_only(server, cache):
    published = server.published()
    server.moved["/moved.pth"] = published.url
    moved = replace(published, url=server.url("moved.pth"))
    loaded(resolve("pretrained", moved, 0))
    server.moved["/weakened.pth"] = f"http://user:password@{ADDRESS}:9/net.pth"
    with pytest.raises(UsageError) as raised:
        resolve("pretrained", replace(published, url=server.url("weakened.pth")), 0)
    assert f"(it redirects to http://***@{ADDRESS}:9/net.pth, which is not HTTPS)" in str(raised.value)


def test_a_server_that_is_not_trusted_is_refused(server, cache, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(UsageError, match=r"cannot download .*CERTIFICATE_VERIFY_FAILED.*checkpoint=PATH"):
        resolve("pretrained", server.published(), 0)


def test_without_a_published_checksum_that_of_the_download_is_said_once(server, cache, caplog):
    published = replace(server.published(), sha256="")
    for _ in range(2):
        checkpoint = resolve("pretrained", published, 0)
    assert caplog.messages == [
        f"{published.url}: no checksum is published; the SHA-256 of what came is "
        f"{hashlib.sha256(server.content).hexdigest()}"
    ]
    caplog.clear()
    checkpoint.path.unlink()
    resolve("pretrained", server.published(), 0)
    assert caplog.messages == []


def test_a_file_in_the_cache_that_is_not_the_published_one_is_refused(server, cache):
    path = resolve("pretrained", server.published(), 0).path
    path.write_bytes(b"damaged since")
    with pytest.raises(UsageError, match=r"its digest is not that of.*delete it"):
        resolve("pretrained", server.published(), 0)


def test_who_asks_at_once_downloads_once(server, cache):
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: resolve("pretrained", server.published(), 0).path, range(8)))
    assert len(paths) == 1
    assert server.requests == 1


@pytest.fixture
def unreachable() -> PublishedFile:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return PublishedFile(f"https://127.0.0.1:{port}/net-12345678.pth", "12345678", "none")


def test_without_network_the_message_names_url_place_and_ways_out(unreachable, cache):
    with pytest.raises(UsageError) as raised:
        resolve("pretrained", unreachable, 0)
    for part in (unreachable.url, str(cache / "net-12345678.pth"), "checkpoint=PATH", "checkpoint=random", "refused"):
        assert part in str(raised.value)


def test_demo_falls_back_to_random_weights_with_a_warning(unreachable, cache, caplog):
    with caplog.at_level(logging.WARNING):
        checkpoint = resolve("demo", unreachable, 5)
    assert checkpoint == resolve("random", unreachable, 5)
    assert "RANDOM weights" in caplog.text
    assert unreachable.url in caplog.text


def test_of_a_network_without_published_weights_demo_is_random(caplog):
    with pytest.raises(
        UsageError, match="checkpoint=pretrained: no weights of this network are published; give a path"
    ):
        resolve("pretrained", None, 0)
    assert resolve("demo", None, 5) == resolve("random", None, 5)
    assert "no weights of this network are published" in caplog.text


def test_demo_takes_the_published_weights_if_they_are_available(server, cache, caplog):
    assert resolve("demo", server.published(), 0) == resolve("pretrained", server.published(), 0)
    assert caplog.text == ""


def test_a_stalled_server_does_not_hold_the_run_for_ever(cache, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        published = PublishedFile(f"https://127.0.0.1:{silent.getsockname()[1]}/net-00.pth", "00", "none")
        with pytest.raises(UsageError, match="timed out"):
            resolve("pretrained", published, 0)
