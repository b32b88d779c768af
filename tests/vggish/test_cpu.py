"""The CPU form of the network is the plain network, in fewer multiplications."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from torch_zoo.models.vggish.cpu import CpuVGGish, transforms
from torch_zoo.models.vggish.extractor import KEY, VGGishExtractor
from torch_zoo.models.vggish.network import VGGish

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch is built without oneDNN")


def exact(weights: dict[str, torch.Tensor], batch: np.ndarray, final_relu: bool) -> np.ndarray:
    """The plain network in float64."""
    with torch.device("meta"):
        network = VGGish(final_relu)
    network.load_state_dict({key: tensor.double() for key, tensor in weights.items()}, assign=True)
    with torch.inference_mode():
        return network(torch.from_numpy(batch).double()).numpy()


def built(weights: dict[str, torch.Tensor], final_relu: bool = True, **options: object) -> CpuVGGish:
    with torch.device("meta"):
        network = VGGish(final_relu)
    network.load_state_dict(weights, assign=True)
    return CpuVGGish(network.requires_grad_(False), **options)


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    """Log-mel values as they come: from ln 0.01 up, (21, 1, 96, 64)."""
    loudness = np.random.default_rng(0).uniform(0, 3, (21, 1, 96, 64))
    return np.log(0.01 + loudness**3).astype(np.float32)


def test_transforms_make_a_correlation_of_six_multiplications():
    to_outputs, to_weights, to_tile = transforms()
    tile, weights = np.random.default_rng(0).standard_normal((2, 6))
    weights = weights[:3]
    outputs = to_outputs @ ((to_weights @ weights) * (to_tile @ tile))
    np.testing.assert_allclose(outputs, np.correlate(tile, weights, "valid"), rtol=0, atol=1e-13)


@pytest.mark.parametrize("final_relu", [True, False])
def test_rounding_error_stays_near_that_of_the_plain_network(final_relu, formula_weights, batch):
    reference = exact(formula_weights, batch, final_relu)
    ours = built(formula_weights, final_relu, threads=2)(batch)()
    with torch.inference_mode():
        network = VGGish(final_relu)
        network.load_state_dict(formula_weights)
        plain = network(torch.from_numpy(batch)).numpy()
    scale = np.abs(reference).max()
    assert np.abs(plain - reference).max() < 1e-6 * scale  # measured: 0.6e-6
    assert np.abs(ours - reference).max() < 3e-6 * scale  # measured: 1.8e-6


@pytest.mark.parametrize(("number", "threads"), [(1, 1), (1, 2), (5, 2), (17, 1), (21, 3)])
def test_any_number_of_examples_and_threads(number, threads, formula_weights, batch):
    reference = exact(formula_weights, batch[:number], final_relu=True)
    ours = built(formula_weights, threads=threads)(batch[:number])()
    assert ours.shape == (number, 128)
    np.testing.assert_allclose(ours, reference, rtol=0, atol=3e-6 * np.abs(reference).max())


def test_golden_embeddings(formula_weights, golden):
    n, f, b = np.ogrid[:3, :96, :64]
    values = 1.5 * np.sin(0.21 * f + 0.09 * b + n) + np.cos(0.05 * f - 0.33 * b + 2 * n) - 1
    ours = built(formula_weights, final_relu=False, threads=2)(values[:, None].astype(np.float32))()
    with np.load(golden / "golden_vggish.npz") as theirs:
        expected = theirs["embedding_prerelu"]  # itself 1.9e-5 from a float64 run, on a scale of 14
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_bf16_dense_layers_are_within_two_percent_of_the_scale(formula_weights, batch):
    reference = exact(formula_weights, batch, final_relu=True)
    ours = built(formula_weights, threads=2, dense_type=torch.bfloat16)(batch)()
    assert ours.dtype == np.float32
    assert 1e-4 < np.abs(ours - reference).max() / np.abs(reference).max() < 0.02


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_every_precision_runs_on_a_cpu(precision, formula_checkpoint, batch):
    extractor = VGGishExtractor(checkpoint=str(formula_checkpoint), precision=precision)
    [stage] = extractor.load("cpu", 2)
    outputs = stage.forward(batch[:2])()[KEY]
    assert outputs.shape == (2, 128)
    assert outputs.dtype == np.float32
