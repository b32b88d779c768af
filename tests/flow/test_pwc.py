"""PWC-Net has the published state-dict keys and computes the same flow as the original."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pytest
import rounding
import torch
from formula import formula_state, waves

from torch_zoo.models.flow.pwc import PWCNet, cost_volume, warp


@pytest.fixture(scope="module")
def network(manifests):
    """PWC-Net with the weights of the golden flows."""
    state = formula_state(manifests / "pwcnet.json")
    for key in state:
        if ".moduleSix.0." in key and not key.startswith("moduleExtractor"):
            state[key] *= 0.5
    with torch.device("meta"):
        built = PWCNet()
    built.load_state_dict(state, assign=True)
    return built.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def exact(network) -> PWCNet:
    """In float64, within `rounding.in_float64`."""
    return deepcopy(network).double()


def test_keys_and_shapes_are_those_of_the_released_file(manifests):
    tensors = json.loads((manifests / "pwcnet.json").read_text())["tensors"]
    with torch.device("meta"):
        ours = [(key, list(tensor.shape)) for key, tensor in PWCNet().state_dict().items()]
    assert ours == [(tensor["key"], tensor["shape"]) for tensor in tensors]


@pytest.mark.numerical
def test_golden_cost_volume(golden):
    with np.load(golden / "golden_pwc_correlation.npz") as theirs:
        first, second = torch.from_numpy(theirs["first"]), torch.from_numpy(theirs["second"])
        expected = cost_volume(first.double(), second.double()).numpy()
        assert rounding.error(theirs["volume"], expected) < 3e-7
        assert rounding.error(cost_volume(first, second).numpy(), expected) < 3e-7


@pytest.mark.numerical
@pytest.mark.parametrize("size", [(100, 130), (128, 192)])
def test_golden_flow(size, network, exact, golden):
    key = "flow_{}x{}".format(*size)
    with np.load(golden / "golden_pwcnet.npz") as theirs, rounding.in_float64():
        if key not in theirs:
            pytest.skip(f"no golden flow of {size} is there")
        expected = exact(waves(*size).double()).numpy()
        assert rounding.error(theirs[key], expected) < rounding.PWC
    assert rounding.error(network(waves(*size)).numpy(), expected) < rounding.PWC


@pytest.mark.numerical
def test_golden_flow_of_every_level(network, exact, golden):
    ours = flow_of_every_level(network, waves(100, 130))
    with rounding.in_float64():
        expected = flow_of_every_level(exact, waves(100, 130).double())
    with np.load(golden / "golden_pwcnet.npz") as theirs:
        for name, flow in expected.items():
            assert rounding.error(theirs[f"{name}_flow_100x130"], flow) < rounding.PWC
            assert rounding.error(ours[name], flow) < rounding.PWC


def flow_of_every_level(network: PWCNet, frames: torch.Tensor) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    names = [f"module{level}" for level in "Two Thr Fou Fiv Six".split()]
    hooks = [
        network.get_submodule(f"{name}.moduleSix").register_forward_hook(
            lambda layer, given, flow, name=name: found.update({name: flow.numpy()})
        )
        for name in names
    ]
    network(frames)
    for hook in hooks:
        hook.remove()
    return found


def test_warping_by_whole_pixels_shifts_the_maps_and_zeros_the_border():
    maps = torch.randn(1, 3, 6, 8)
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 6, 8)  # 2 to the right, 1 up
    warped = warp(maps, flow)
    torch.testing.assert_close(warped[:, :, 1:, :-2], maps[:, :, :-1, 2:], rtol=0, atol=1e-5)
    assert not warped[:, :, 0].any()
    assert not warped[:, :, :, -2:].any()


@pytest.mark.numerical
def test_clips_give_the_flow_of_each_of_their_pairs(network, exact):
    frames = waves(64, 128, frames=4)
    with rounding.in_float64():
        expected = exact(frames.double()).numpy()
    pairs = network(torch.stack([frames[:-1], frames[1:]], dim=1))  # (3, 2, ...) -> (3, 1, ...)
    assert rounding.error(pairs[:, 0].numpy(), expected) < rounding.PWC
    assert rounding.error(network(frames).numpy(), expected) < rounding.PWC
    clips = network(torch.stack([frames[:3], frames[1:]]))
    assert rounding.error(clips.numpy(), np.stack([expected[:2], expected[1:]])) < rounding.PWC
