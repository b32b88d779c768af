"""RAFT loads the authors' and torchvision's weights, and computes the same flow as torchvision."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import rounding
import torch
from formula import formula_state, waves
from torchvision.models.optical_flow import Raft_Large_Weights, raft_large

from torch_zoo.models.flow.raft import RAFT, padding, upsample
from torch_zoo.models.flow.weights import RAFT_SINTEL, RAFT_TORCHVISION, with_torchvision_keys


@pytest.fixture(scope="module")
def authors_state(manifests):
    """Weights of the golden flows, with the authors' keys."""
    state = formula_state(manifests / "raft.json")
    for key in state:
        if key.startswith("update_block.flow_head.conv2"):
            state[key] *= 0.2
        if key.endswith("norm2.weight"):
            state[key] *= 0.25
    return {key: state[key.replace("norm3", "downsample.1")] for key in state}


@pytest.fixture(scope="module")
def network(authors_state):
    with torch.device("meta"):
        built = RAFT(updates=1)
    built.load_state_dict(with_torchvision_keys(authors_state), assign=True)
    return built.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def exact(network) -> Callable[[torch.Tensor], np.ndarray]:
    """Frames -> flow in float64."""
    double = deepcopy(network).double()

    def of(frames: torch.Tensor) -> np.ndarray:
        with rounding.in_float64():
            return double(frames.double()).numpy()

    return of


def test_the_authors_keys_become_torchvisions(manifests):
    expected = json.loads((manifests / "raft_to_torchvision.json").read_text())["map"]
    theirs = {key: torch.tensor(number) for number, key in enumerate(expected)}
    ours = with_torchvision_keys({f"module.{key}": tensor for key, tensor in theirs.items()})
    assert ours == {renamed: theirs[key] for key, renamed in expected.items() if renamed}
    assert with_torchvision_keys(ours) == ours


def test_keys_and_shapes_match_torchvision():
    with torch.device("meta"):
        ours, theirs = RAFT().state_dict(), raft_large(weights=None).state_dict()
    assert {key: tensor.shape for key, tensor in ours.items()} == {key: tensor.shape for key, tensor in theirs.items()}


def test_urls_are_torchvisions_and_contain_the_digest():
    for record, theirs in (
        (RAFT_SINTEL, Raft_Large_Weights.C_T_SKHT_V1),
        (RAFT_TORCHVISION, Raft_Large_Weights.C_T_SKHT_V2),
    ):
        assert record.url == theirs.url
        assert record.url.endswith(f"-{record.sha256}.pth")


@pytest.mark.numerical
def test_golden_flow_after_one_update(network, exact, golden):
    padded = torch.nn.functional.pad(waves(130, 150), [1, 1, 3, 3], mode="replicate")
    expected = exact(padded)
    with np.load(golden / "golden_raft.npz") as theirs:
        assert rounding.error(theirs["flow_iters1"], expected) < rounding.RAFT
    assert rounding.error(network(padded).numpy(), expected) < rounding.RAFT


@pytest.mark.numerical
def test_odd_sizes_are_padded_and_the_flow_cut_to_the_frame(network, golden):
    with np.load(golden / "golden_raft.npz") as theirs:
        expected = theirs["flow_iters1"][:, :, 3:-3, 1:-1]
    assert rounding.error(network(waves(130, 150)).numpy(), expected) < 2 * rounding.RAFT  # both are rounded


@pytest.mark.parametrize(
    ("size", "expected"),
    [((256, 344), (0, 0, 0, 0)), ((256, 341), (1, 2, 0, 0)), ((130, 150), (1, 1, 3, 3)), ((255, 257), (3, 4, 0, 1))],
)
def test_padding_is_symmetric_with_an_odd_pixel_last(size, expected):
    assert padding(*size) == expected


@pytest.mark.numerical
def test_torchvisions_own_loop_gives_the_same_flow(network):
    theirs = raft_large(weights=None)
    theirs.load_state_dict(network.state_dict())
    frames = waves(136, 152)
    scaled = frames * (2 / 255) - 1
    ours = RAFT(updates=3)
    ours.load_state_dict(network.state_dict())
    with torch.inference_mode():
        expected = theirs.eval()(scaled[:1], scaled[1:], num_flow_updates=3)[-1]
        assert rounding.error(ours.eval()(frames).numpy(), expected.numpy()) < 2 * rounding.RAFT  # both are rounded


@pytest.mark.numerical
def test_clips_give_the_flow_of_each_of_their_pairs(network, exact):
    frames = waves(130, 136, frames=4)
    expected = exact(frames)
    pairs = network(torch.stack([frames[:-1], frames[1:]], dim=1))  # (3, 2, ...) -> (3, 1, ...)
    assert rounding.error(pairs[:, 0].numpy(), expected) < rounding.RAFT
    assert rounding.error(network(frames).numpy(), expected) < rounding.RAFT
    clips = network(torch.stack([frames[:3], frames[1:]]))
    assert rounding.error(clips.numpy(), np.stack([expected[:2], expected[1:]])) < rounding.RAFT


def test_upsampling_keeps_uniform_flow_uniform():
    flow = torch.tensor([1.5, -0.25]).view(1, 2, 1, 1).expand(1, 2, 4, 5)
    fine = upsample(flow, torch.randn(1, 9 * 64, 4, 5))
    torch.testing.assert_close(fine[..., 8:-8, 8:-8], 8 * flow[..., :1, :1].expand(1, 2, 16, 24))


@pytest.mark.numerical
def test_bf16_flow_is_within_five_percent_of_the_scale(network):
    half = RAFT(updates=1)
    half.load_state_dict(network.state_dict())
    half = half.eval().to(torch.bfloat16)
    frames = waves(136, 152)
    with torch.inference_mode():
        expected, ours = network(frames), half(frames.to(torch.bfloat16))
    assert ours.dtype == torch.float32
    assert (ours - expected).abs().max() < 0.05 * expected.abs().max()
