"""The CPU form of the network is the plain network, in fewer multiplications."""

from __future__ import annotations

import numpy as np
import pytest
import rounding
import torch

from torch_zoo.models.vggish.cpu import CpuVGGish, transforms
from torch_zoo.models.vggish.extractor import KEY, VGGishExtractor
from torch_zoo.models.vggish.network import VGGish
from torch_zoo.utils import cpu

pytestmark = [
    pytest.mark.numerical,
    pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch is built without oneDNN"),
    pytest.mark.filterwarnings("ignore:TF32 acceleration"),  # raised by torch.backends.mkldnn.flags
]


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
def test_rounding_error_is_that_of_float32(final_relu, formula_weights, batch):
    reference = exact(formula_weights, batch, final_relu)
    ours = built(formula_weights, final_relu, threads=2)(batch)()
    assert rounding.error(ours, reference) < rounding.VGGISH


@pytest.mark.parametrize(("number", "threads"), [(1, 1), (1, 2), (5, 2), (17, 1), (21, 3)])
def test_any_number_of_examples_and_threads(number, threads, formula_weights, batch):
    reference = exact(formula_weights, batch[:number], final_relu=True)
    ours = built(formula_weights, threads=threads)(batch[:number])()
    assert ours.shape == (number, 128)
    assert rounding.error(ours, reference) < rounding.VGGISH


@pytest.mark.parametrize("native", [True, False])
def test_bf16_dense_layers_are_within_one_percent_of_the_scale(native, formula_weights, batch, monkeypatch):
    if native and not cpu.is_native("bf16"):
        pytest.skip("this CPU has no bf16 instructions")
    monkeypatch.setattr(cpu, "is_native", lambda precision: native)
    reference = exact(formula_weights, batch, final_relu=True)
    ours = built(formula_weights, threads=2, precision="bf16")(batch)()
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, torch.from_numpy(ours).bfloat16().float())
    assert 1e-4 < rounding.error(ours, reference) < 0.01  # measured: 0.005


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("fp32", rounding.VGGISH), ("tf32", rounding.VGGISH), ("bf16", 0.03), ("fp16", 2e-3)]
)
def test_every_precision_runs_on_every_cpu(precision, tolerance, onednn, formula_weights, formula_checkpoint, batch):
    reference = exact(formula_weights, batch[:2], final_relu=True)
    with torch.backends.mkldnn.flags(enabled=onednn):
        extractor = VGGishExtractor(checkpoint=str(formula_checkpoint), precision=precision)
        [stage] = extractor.load("cpu", threads=2)
        outputs = stage.forward(batch[:2])()[KEY]
    assert outputs.dtype == np.float32
    assert rounding.error(outputs, reference) < tolerance
