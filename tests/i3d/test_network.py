"""The network has the published state-dict keys and computes the same features and logits as the original."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import rounding
import torch
from formula import formula_state

from torch_zoo.models.i3d.network import I3D
from torch_zoo.models.i3d.weights import CHANNELS, WEIGHTS, variables, with_norm_weights
from torch_zoo.utils import cpu

STREAMS = tuple(CHANNELS)


def listed(manifests: Path, stream: str) -> list[dict]:
    return json.loads((manifests / f"i3d_{stream}.json").read_text())["tensors"]


def empty(stream: str) -> I3D:
    with torch.device("meta"):
        return I3D(CHANNELS[stream])


def filled(stream: str, manifests: Path, dtype: torch.dtype) -> I3D:
    """With the weights of the golden outputs."""
    network = empty(stream)
    network.load_state_dict(formula_state(manifests / f"i3d_{stream}.json"), assign=True)
    return network.to(dtype).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def exact(manifests) -> Callable[[str, int], tuple[np.ndarray, ...]]:
    """Features and logits of `clip(stream, frames)` in float64, computed once."""

    @cache
    def network(stream: str) -> I3D:
        return filled(stream, manifests, torch.float64)

    @cache
    def of(stream: str, frames: int) -> tuple[np.ndarray, ...]:
        return tuple(output.numpy() for output in network(stream)(clip(stream, frames).double()))

    return of


def clip(stream: str, frames: int) -> torch.Tensor:
    """The input of the golden outputs, (1, channels, frames, 224, 224)."""
    c, t, y, x = np.ogrid[: CHANNELS[stream], :frames, :224, :224]
    values = 0.5 * np.sin(0.05 * x + 0.03 * y + 0.4 * t + c) + 0.5 * np.cos(0.02 * x - 0.06 * y + 0.3 * t + 2 * c)
    return torch.from_numpy(values[None].astype(np.float32))


@pytest.mark.parametrize("stream", STREAMS)
def test_keys_and_shapes_match_the_original(stream, manifests):
    ours = [(key, list(tensor.shape)) for key, tensor in empty(stream).state_dict().items()]
    assert ours == [(tensor["key"], tensor["shape"]) for tensor in listed(manifests, stream)]


@pytest.mark.parametrize("stream", STREAMS)
def test_the_published_file_loads_without_batch_norm_counters(stream, manifests):
    published = {
        tensor["key"]: torch.zeros(tensor["shape"])
        for tensor in listed(manifests, stream)
        if tensor["in_released_file"]
    }
    assert len(published) == 287
    network = empty(stream)
    network.load_state_dict(published, assign=True)
    assert not any(tensor.is_meta for tensor in network.state_dict().values())
    published.pop("mixed_4e.branch_2.1.batch3d.running_var")
    with pytest.raises(RuntimeError, match=r"mixed_4e\.branch_2\.1\.batch3d\.running_var"):
        empty(stream).load_state_dict(published, assign=True)


@pytest.mark.numerical
@pytest.mark.parametrize("frames", [10, 16, 24, 25])
@pytest.mark.parametrize("stream", STREAMS)
def test_golden_features_and_logits_are_those_of_the_network(stream, frames, exact, golden):
    with np.load(golden / "golden_i3d.npz") as theirs:
        if f"{stream}_T{frames}_features" not in theirs:
            pytest.skip(f"no golden output of {frames} frames is there")
        for name, expected in zip(("features", "logits"), exact(stream, frames), strict=True):
            assert rounding.error(theirs[f"{stream}_T{frames}_{name}"], expected) < rounding.I3D


@pytest.mark.numerical
@pytest.mark.parametrize("stream", STREAMS)
def test_rounding_error_is_that_of_float32(stream, manifests, exact):
    for ours, expected in zip(
        filled(stream, manifests, torch.float32)(clip(stream, 16)), exact(stream, 16), strict=True
    ):
        assert rounding.error(ours.numpy(), expected) < rounding.I3D


@pytest.mark.numerical
@pytest.mark.parametrize("stream", STREAMS)
def test_rounding_error_of_the_folded_network_is_that_of_float32(stream, manifests, exact):
    """With batch norms folded into convolutions, channels last and two clips at a time, as a worker runs it."""
    network = filled(stream, manifests, torch.float32).fold().to(memory_format=torch.channels_last_3d)
    clips = clip(stream, 16).repeat(2, 1, 1, 1, 1).contiguous(memory_format=torch.channels_last_3d)
    for ours, expected in zip(network(clips), exact(stream, 16), strict=True):
        assert rounding.error(ours.numpy(), expected.repeat(2, axis=0)) < rounding.I3D


@pytest.mark.parametrize(("frames", "lengths"), [(10, (5, 3, 2)), (16, (8, 4, 2)), (25, (12, 6, 3)), (64, (32, 16, 8))])
def test_temporal_sizes_match_the_original(frames, lengths):
    network = empty("flow")
    sizes: list[tuple[int, ...]] = []
    for name in ("conv3d_1a_7x7", "maxPool3d_4a_3x3", "maxPool3d_5a_2x2"):
        network.get_submodule(name).register_forward_hook(lambda layer, given, maps: sizes.append(maps.shape[2:]))
    features, logits = network(torch.empty(1, 2, frames, 224, 224, device="meta"))
    assert (features.shape, logits.shape) == ((1, 1024), (1, 400))
    assert sizes == [(length, size, size) for length, size in zip(lengths, (112, 14, 7), strict=True)]


@pytest.mark.numerical
@pytest.mark.skipif(not cpu.is_native("bf16"), reason="this CPU emulates bf16: a clip takes minutes")
def test_bf16_features_are_within_two_percent_of_the_scale(manifests, exact):
    half = filled("rgb", manifests, torch.float32).fold().to(torch.bfloat16, memory_format=torch.channels_last_3d)
    clips = clip("rgb", 16).to(torch.bfloat16).contiguous(memory_format=torch.channels_last_3d)
    features, _ = half(clips)
    assert 1e-4 < rounding.error(features.float().numpy(), exact("rgb", 16)[0]) < 0.02


@pytest.mark.parametrize("stream", STREAMS)
def test_tensorflow_variables_match_deepminds_checkpoints(stream, manifests):
    expected = json.loads((manifests / f"i3d_{stream}_tf_to_torch.json").read_text())["map"]
    ours = {
        key: (variable.name, list(variable.shape), [variable.shape[axis] for axis in variable.axes])
        for key, variable in variables(stream).items()
    }
    assert ours == {
        key: (theirs["tf"], theirs["tf_shape"], theirs["torch_shape"])
        for key, theirs in expected.items()
        if theirs["tf"]
    }
    assert all(list(variable.axes) in ([0], [4, 3, 0, 1, 2]) for variable in variables(stream).values())
    ones = [key for key, theirs in expected.items() if not theirs["tf"]]
    assert len(ones) == 57 and all(key.endswith("batch3d.weight") for key in ones)


@pytest.mark.parametrize("stream", STREAMS)
def test_tensorflow_variables_and_ones_complete_the_network(stream):
    converted = {
        key: torch.empty([variable.shape[axis] for axis in variable.axes])
        for key, variable in variables(stream).items()
    }
    completed = with_norm_weights(converted)
    empty(stream).load_state_dict(completed, assign=True)
    assert set(completed) - set(converted) == {key for key in completed if key.endswith("batch3d.weight")}
    assert (completed["mixed_5b.branch_2.1.batch3d.weight"] == 1).all()


def test_a_file_with_some_batch_norm_weights_is_not_completed():
    partial = {"a.batch3d.weight": torch.zeros(1), "b.batch3d.running_var": torch.zeros(1)}
    assert with_norm_weights(partial) == partial


def test_each_stream_has_its_own_file():
    assert WEIGHTS["rgb"].cached != WEIGHTS["flow"].cached
