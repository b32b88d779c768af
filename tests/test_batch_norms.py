"""Weights with batch norms, with other keys, or with only git's digest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from torch import nn

from torch_zoo.utils.checkpoints import Checkpoint, resolve
from torch_zoo.utils.digests import git_blob
from torch_zoo.utils.downloads import PublishedFile
from torch_zoo.utils.types import UsageError


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def saved(path: Path, without: str = "none") -> dict[str, torch.Tensor]:
    state = {key: tensor for key, tensor in network().state_dict().items() if not key.endswith(without)}
    torch.save(state, path)
    return state


def test_counters_of_batch_norms_may_be_missing(tmp_path):
    state = saved(tmp_path / "old.pth", without="num_batches_tracked")
    with torch.device("meta"):
        ours = network()
    Checkpoint(tmp_path / "old.pth", "").load(ours)
    assert all(torch.equal(ours.state_dict()[key], tensor) for key, tensor in state.items())
    assert ours.state_dict()["1.num_batches_tracked"] == 0
    saved(tmp_path / "bad.pth", without="running_mean")
    with pytest.raises(UsageError, match=r"1\.running_mean is missing"):
        Checkpoint(tmp_path / "bad.pth", "").load(network())


def test_keys_of_a_file_are_renamed(tmp_path):
    state = saved(tmp_path / "same.pth")
    torch.save({f"module.{key}": tensor for key, tensor in state.items()}, tmp_path / "other.pth")
    ours = network()
    renamed = Checkpoint(tmp_path / "other.pth", "")
    renamed.load(ours, lambda theirs: {key.removeprefix("module."): tensor for key, tensor in theirs.items()})
    assert torch.equal(ours[0].weight, state["0.weight"])


def test_random_batch_norms_are_the_identity():
    ours = network().eval()
    resolve("random", PublishedFile("https://x/y.pth", "", ""), 3).load(ours)
    maps = torch.rand(2, 4, 5, 5)
    torch.testing.assert_close(ours[1](maps), maps / (1 + 1e-5) ** 0.5)


def test_the_option_is_named():
    with pytest.raises(UsageError, match=r"flow_checkpoint=no/such\.pth: no such file"):
        resolve("no/such.pth", PublishedFile("https://x/y.pth", "", ""), 0, option="flow_checkpoint")


def test_a_file_is_verified_by_gits_digest(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub/checkpoints/net.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    expected = subprocess.run(["git", "hash-object", path], capture_output=True, text=True, check=True).stdout.strip()
    assert git_blob(path) == expected
    assert (
        resolve("pretrained", PublishedFile("https://x/y.pth", "", "", git_blob=expected, name="net.pth"), 0).path
        == path
    )
    with pytest.raises(UsageError, match="its digest is not that of"):
        resolve("pretrained", PublishedFile("https://x/y.pth", "", "", git_blob="00" * 20, name="net.pth"), 0)
