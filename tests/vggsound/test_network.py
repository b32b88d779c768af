"""The networks have the published state-dict keys and compute the same features and logits as the original."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import rounding
import torch
import torchvision
from formula import formula_state

from torch_zoo.models.vggsound.layers import CHANNELS, CLUSTERS, Model, Pooling, width
from torch_zoo.models.vggsound.network import Joined, NetVLAD, VGGSound
from torch_zoo.models.vggsound.resnet import ResNet
from torch_zoo.utils.devices import DeviceModel

CLASSES = 309
LISTED = [(model, pooling) for model in CHANNELS for pooling in ("avgpool", "netvlad")][:-1]
GOLDEN = [("resnet18", "avgpool"), ("resnet18", "netvlad"), ("resnet50", "avgpool")]
Outputs = tuple[np.ndarray, np.ndarray]


def empty(model: Model, pooling: Pooling, classes: int = CLASSES) -> VGGSound:
    with torch.device("meta"):
        return VGGSound(model, pooling, classes)


@cache
def weights(model: Model, pooling: Pooling, manifests: Path) -> dict[str, torch.Tensor]:
    """Those of the golden outputs."""
    state = formula_state(manifests / f"vggsound_{model}_{pooling}.json")
    last_norm = "bn3.weight" if model == "resnet50" else "bn2.weight"
    return {key: tensor * 0.25 if key.endswith(last_norm) else tensor for key, tensor in state.items()}


def filled(model: Model, pooling: Pooling, manifests: Path, dtype: torch.dtype) -> VGGSound:
    network = empty(model, pooling)
    network.load_state_dict(weights(model, pooling, manifests), assign=True)
    return network.to(dtype).eval().requires_grad_(False)


def spectrogram() -> torch.Tensor:
    """The input of the golden outputs, (1, 1, 257, 1004)."""
    f, t = np.ogrid[:257, :1004]
    values = np.sin(0.07 * f + 0.013 * t) + 0.8 * np.cos(0.031 * f - 0.05 * t)
    return torch.from_numpy(values[None, None].astype(np.float32))


@pytest.fixture(scope="module")
def exact(manifests) -> Callable[[Model, Pooling], Outputs]:
    """Pooled features and logits in float64, computed once."""

    @cache
    def of(model: Model, pooling: Pooling) -> Outputs:
        with rounding.in_float64():
            pooled, logits = filled(model, pooling, manifests, torch.float64)(spectrogram().double())
        return pooled.numpy(), logits.numpy()

    return of


@pytest.mark.parametrize(("model", "pooling"), LISTED)
def test_keys_and_shapes_match_the_original(model, pooling, manifests):
    ours = [(key, list(tensor.shape)) for key, tensor in empty(model, pooling).state_dict().items()]
    listed = json.loads((manifests / f"vggsound_{model}_{pooling}.json").read_text())["tensors"]
    assert ours == [(tensor["key"], tensor["shape"]) for tensor in listed]


@pytest.mark.parametrize("model", CHANNELS)
def test_the_trunk_is_torchvisions_resnet_on_one_channel(model):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, model)()
    theirs.conv1 = torch.nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    theirs = torch.nn.Sequential(OrderedDict(list(theirs.named_children())[:-2]))  # without pooling and classifier
    ours = ResNet(model)
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    batch = torch.randn(2, 1, 65, 50)
    for mode in (True, False):  # with the statistics of the batch, and with those it has left
        torch.testing.assert_close(ours.train(mode)(batch), theirs.train(mode)(batch), rtol=0, atol=1e-5)


@pytest.mark.numerical
@pytest.mark.parametrize(("model", "pooling"), GOLDEN)
def test_golden_features_and_logits_are_those_of_the_network(model, pooling, exact, golden):
    with np.load(golden / "golden_vggsound.npz") as theirs:
        for name, expected in zip(("pooled", "logits"), exact(model, pooling), strict=True):
            assert rounding.error(theirs[f"{model}_{pooling}_{name}"], expected) < rounding.VGGSOUND


@pytest.mark.numerical
@pytest.mark.parametrize(("model", "pooling"), GOLDEN)
def test_rounding_error_is_that_of_float32(model, pooling, manifests, exact):
    for ours, expected in zip(
        filled(model, pooling, manifests, torch.float32)(spectrogram()), exact(model, pooling), strict=True
    ):
        assert rounding.error(ours.numpy(), expected) < rounding.VGGSOUND


@pytest.mark.numerical
@pytest.mark.parametrize(("model", "pooling"), GOLDEN)
def test_rounding_error_of_the_folded_network_is_that_of_float32(model, pooling, manifests, exact):
    """With batch norms folded into convolutions, channels last and two windows at a time, as a worker runs it."""
    network = filled(model, pooling, manifests, torch.float32).fold()
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    batch = spectrogram().repeat(2, 1, 1, 1).contiguous(memory_format=torch.channels_last)
    joined = Joined(network.to(memory_format=torch.channels_last))(batch).numpy()
    for ours, expected in zip(np.split(joined, [width(model, pooling)], axis=1), exact(model, pooling), strict=True):
        assert rounding.error(ours, expected.repeat(2, axis=0)) < rounding.VGGSOUND


@pytest.mark.parametrize("model", CHANNELS)
@pytest.mark.parametrize("pooling", ["avgpool", "netvlad"])
def test_any_length_and_any_number_of_classes(model, pooling):
    for columns in (1, 100, 1004):
        pooled, logits = empty(model, pooling, classes=7)(torch.empty(2, 1, 257, columns, device="meta"))
        assert (pooled.shape, logits.shape) == ((2, width(model, pooling)), (2, 7))


def test_netvlad_sums_residuals_as_its_formula_says():
    """Equation 4 of arXiv:1511.07247 in loops."""
    random = np.random.default_rng(0)
    maps = random.standard_normal((2, 5, 2, 3))
    layer = NetVLAD(3, 5).double().requires_grad_(False)
    centroids, weight, bias = layer.centroids.numpy(), layer.conv.weight.numpy()[..., 0, 0], layer.conv.bias.numpy()
    with rounding.in_float64():
        ours = layer(torch.from_numpy(maps)).numpy()
    for image, row in zip(maps, ours, strict=True):
        residuals = np.zeros((3, 5))
        for position in image.reshape(5, -1).T:
            unit = position / np.linalg.norm(position)
            scores = np.exp(weight @ unit + bias)
            for cluster, share in enumerate(scores / scores.sum()):
                residuals[cluster] += share * (unit - centroids[cluster])
        residuals /= np.linalg.norm(residuals, axis=1, keepdims=True)
        np.testing.assert_allclose(row, residuals.ravel() / np.linalg.norm(residuals), rtol=0, atol=1e-12)


def test_netvlad_has_a_row_of_unit_length_per_cluster():
    pooled = NetVLAD(CLUSTERS, 8)(torch.randn(3, 8, 4, 4)).detach()
    assert torch.allclose(pooled.view(3, CLUSTERS, 8).norm(dim=2), torch.tensor(0.25))  # 1 / sqrt(16)


@pytest.mark.numerical
@pytest.mark.parametrize(
    ("precision", "tolerance"),  # measured: 0.0052 and 5.3e-4
    [("tf32", rounding.VGGSOUND), ("bf16", 0.0077), ("fp16", 7.9e-4)],
)
def test_every_precision_runs_on_every_cpu(precision, tolerance, manifests):
    part = spectrogram()[..., :64]
    with rounding.in_float64():
        exact = filled("resnet18", "netvlad", manifests, torch.float64)(part.double())
    network = Joined(filled("resnet18", "netvlad", manifests, torch.float32).fold())
    joined = DeviceModel(network, "cpu", precision)(part.numpy())()
    assert joined.dtype == np.float32
    for ours, expected in zip(np.split(joined, [width("resnet18", "netvlad")], axis=1), exact, strict=True):
        assert rounding.error(ours, expected.numpy()) < tolerance
