"""Weights behind a URL are fetched once per machine and version."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from faulty_server import Web
from tiny_network import NOWHERE, loaded, state

from torch_zoo.utils import remote, storage
from torch_zoo.utils.checkpoints import Checkpoint, resolve
from torch_zoo.utils.types import UsageError


@pytest.fixture(autouse=True)
def an_empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(remote, "PAUSES", (0.01, 0.01))


def weights(value: float) -> dict[str, torch.Tensor]:
    return {key: torch.full_like(tensor, value) for key, tensor in state().items()}


def content(value: float) -> bytes:
    file = io.BytesIO()
    torch.save(weights(value), file)
    return file.getvalue()


def has(checkpoint: Checkpoint, value: float) -> bool:
    return all(torch.equal(tensor, weights(value)[key]) for key, tensor in loaded(checkpoint).items())


def gets(web: Web) -> int:
    return sum(method == "GET" for method, *_ in web.asked)


def test_they_are_fetched_once_and_again_when_they_change(web: Web, tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(content(0))
    url = web.put("w/x.pth", content(0), drops=1)
    first = resolve(url, NOWHERE, seed=0)
    assert first.identity == resolve(str(tmp_path / "x.pth"), NOWHERE, seed=0).identity
    assert has(first, 0)
    asked = gets(web)
    assert resolve(url + "?sig=signed-again", NOWHERE, seed=0).path == first.path
    assert gets(web) == asked
    web.put("w/x.pth", content(1), etag="2")
    second = resolve(url, NOWHERE, seed=0)
    assert has(second, 1) and has(first, 0)


def test_from_object_storage(bucket: str) -> None:
    with storage.atomic_write(f"{bucket}/x.pth") as file:
        file.write(content(0))
    assert has(resolve(f"{bucket}/x.pth", NOWHERE, seed=0), 0)


@pytest.mark.parametrize(("status", "message"), [(404, "no such file"), (403, "access denied")])
def test_what_can_not_be_fetched_is_one_line(status: int, message: str, web: Web, tmp_path: Path) -> None:
    url = web.put("x.pth", content(0), statuses=[status] * 9)
    with pytest.raises(UsageError, match=rf"^checkpoint={url}\?\*\*\*: {message}( \(HTTP {status}\))?$"):
        resolve(url + "?token=hush", NOWHERE, seed=0)
    assert not list(tmp_path.rglob("*.pth"))
