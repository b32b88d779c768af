"""Files that are damaged, or hold other than the network's weights, are refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_network import NOWHERE, loaded, state

from torch_zoo.utils.checkpoints import resolve
from torch_zoo.utils.types import UsageError


@pytest.mark.parametrize("damage", ["text", "truncated", "empty"])
def test_a_damaged_file_is_named(damage, tmp_path):
    path = tmp_path / "damaged.pth"
    torch.save(state(), path)
    content = path.read_bytes()
    path.write_bytes({"text": b"hello", "truncated": content[: len(content) // 2], "empty": b""}[damage])
    with pytest.raises(UsageError, match=r"damaged\.pth: not a readable PyTorch file"):
        loaded(resolve(str(path), NOWHERE, 0))


def test_code_in_a_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "was_run",)

    torch.save({"0.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UsageError, match=r"not a readable PyTorch file of weights \(it was not written by torch\.save"):
        loaded(resolve(str(tmp_path / "evil.pth"), NOWHERE, 0))
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda weights: weights.pop("2.bias"), r"2\.bias is missing"),
        (lambda weights: weights.update(extra=torch.zeros(1)), "extra does not belong to it"),
        (lambda weights: weights.update({"0.bias": torch.zeros(5)}), r"0\.bias is \(5,\) instead of \(3,\)"),
        (lambda weights: weights.update({"0.bias": "text"}), r"0\.bias is not a tensor"),
        (lambda weights: weights.update({"0.bias": torch.zeros(3).to_sparse()}), r"0\.bias is not a dense tensor"),
    ],
    ids=["missing", "unexpected", "shape", "no tensor", "sparse"],
)
def test_weights_of_another_network_are_refused(change, problem, tmp_path):
    weights = state()
    change(weights)
    torch.save(weights, tmp_path / "other.pth")
    with pytest.raises(UsageError, match=rf"other\.pth: not the weights of Sequential: {problem}"):
        loaded(resolve(str(tmp_path / "other.pth"), NOWHERE, 0))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(value, tmp_path):
    weights = state()
    weights["2.weight"][0, 1] = value
    torch.save(weights, tmp_path / "diverged.pth")
    with pytest.raises(UsageError, match=r"diverged\.pth: 2\.weight holds NaN or infinity"):
        loaded(resolve(str(tmp_path / "diverged.pth"), NOWHERE, 0))


def test_a_flipped_bit_is_refused(tmp_path):
    weights, path = state(), tmp_path / "flipped.pth"
    torch.save(weights, path)
    content = bytearray(path.read_bytes())
    content[content.index(weights["0.weight"].numpy().tobytes())] ^= 1
    path.write_bytes(content)
    torch.load(path, weights_only=True)  # which does not notice
    with pytest.raises(UsageError, match=r"flipped\.pth: damaged zip file \(wrong checksum of .*data/\d"):
        resolve(str(path), NOWHERE, 0)


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(3)])
def test_a_file_that_holds_no_state_dict(content, tmp_path):
    torch.save(content, tmp_path / "list.pth")
    with pytest.raises(UsageError, match="not a state dict"):
        loaded(resolve(str(tmp_path / "list.pth"), NOWHERE, 0))
