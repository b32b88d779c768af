"""PWC-Net has the published state-dict keys and computes the same flow as the original."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from formula import formula_state, waves

from torch_zoo.models.flow.pwc import PWCNet, cost_volume, warp

CLOSE = 1e-4  # pixels


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


def test_keys_and_shapes_match_the_published_file(manifests):
    tensors = json.loads((manifests / "pwcnet.json").read_text())["tensors"]
    with torch.device("meta"):
        ours = [(key, list(tensor.shape)) for key, tensor in PWCNet().state_dict().items()]
    assert ours == [(tensor["key"], tensor["shape"]) for tensor in tensors]


def test_golden_cost_volume(golden):
    with np.load(golden / "golden_pwc_correlation.npz") as theirs:
        ours = cost_volume(torch.from_numpy(theirs["first"]), torch.from_numpy(theirs["second"]))
        np.testing.assert_allclose(ours, theirs["volume"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(100, 130), (128, 192)])
def test_golden_flow(size, network, golden):
    key = "flow_{}x{}".format(*size)
    with np.load(golden / "golden_pwcnet.npz") as theirs, torch.inference_mode():
        if key not in theirs:
            pytest.skip(f"no golden flow of size {size}")
        np.testing.assert_allclose(network(waves(*size)), theirs[key], rtol=0, atol=CLOSE)


def test_golden_flow_of_each_level(network, golden):
    levels = {
        f"module{name}": network.get_submodule(f"module{name}.moduleSix") for name in "Two Thr Fou Fiv Six".split()
    }
    found: dict[str, torch.Tensor] = {}
    hooks = [
        layer.register_forward_hook(lambda layer, given, flow, name=name: found.update({name: flow}))
        for name, layer in levels.items()
    ]
    with torch.inference_mode():
        network(waves(100, 130))
    for hook in hooks:
        hook.remove()
    with np.load(golden / "golden_pwcnet.npz") as theirs:
        for name in levels:
            np.testing.assert_allclose(found[name], theirs[f"{name}_flow_100x130"], rtol=0, atol=1e-5)


def test_warping_by_whole_pixels_shifts_the_maps_and_zeros_the_border():
    maps = torch.randn(1, 3, 6, 8)
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 6, 8)  # 2 to the right, 1 up
    warped = warp(maps, flow)
    torch.testing.assert_close(warped[:, :, 1:, :-2], maps[:, :, :-1, 2:], rtol=0, atol=1e-5)
    assert not warped[:, :, 0].any()
    assert not warped[:, :, :, -2:].any()


def test_flow_of_a_clip_is_that_of_its_pairs(network):
    frames = waves(64, 128, frames=4)
    with torch.inference_mode():
        pairs = network(torch.stack([frames[:-1], frames[1:]], dim=1))  # (3, 2, ...) -> (3, 1, ...)
        torch.testing.assert_close(network(frames), pairs[:, 0], rtol=0, atol=CLOSE)
        clips = network(torch.stack([frames[:3], frames[1:]]))
    torch.testing.assert_close(clips, torch.stack([pairs[:2, 0], pairs[1:, 0]]), rtol=0, atol=CLOSE)
