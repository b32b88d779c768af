"""The network has the published state-dict keys and computes the same embeddings as the original."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import pytest
import rounding
import torch

from torch_zoo.models.vggish.cpu import CpuVGGish
from torch_zoo.models.vggish.network import VGGish
from torch_zoo.utils.devices import DeviceModel

Run = Callable[[np.ndarray], np.ndarray]
FORMS: dict[str, Callable[[VGGish], Run]] = {
    "plain": lambda network: lambda batch: network(torch.from_numpy(batch)).detach().numpy(),
    "as a worker runs it": lambda network: lambda batch: DeviceModel(network, "cpu", "fp32")(batch)(),
    "packed": lambda network: lambda batch: CpuVGGish(network, threads=2)(batch)(),
}


def network(weights: dict[str, torch.Tensor], final_relu: bool = True) -> VGGish:
    with torch.device("meta"):
        built = VGGish(final_relu)
    built.load_state_dict(weights, assign=True)
    return built.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def exact(formula_weights) -> VGGish:
    """In float64, without the final ReLU."""
    return network({key: tensor.double() for key, tensor in formula_weights.items()}, final_relu=False)


@pytest.fixture(scope="module")
def examples() -> torch.Tensor:
    """The input of the golden embeddings, (3, 1, 96, 64)."""
    n, f, b = np.ogrid[:3, :96, :64]
    values = 1.5 * np.sin(0.21 * f + 0.09 * b + n) + np.cos(0.05 * f - 0.33 * b + 2 * n) - 1
    return torch.from_numpy(values[:, None].astype(np.float32))


def test_keys_and_shapes_match_the_published_file(manifests):
    with torch.device("meta"):
        ours = {key: list(tensor.shape) for key, tensor in VGGish().state_dict().items()}
    tensors = json.loads((manifests / "vggish_torch.json").read_text())["tensors"]
    assert list(ours.items()) == [(tensor["key"], tensor["shape"]) for tensor in tensors]
    with torch.device("meta"):
        assert list(VGGish(final_relu=False).state_dict()) == list(ours)


def test_the_stand_in_weights_follow_their_formula(formula_weights):
    first = [0.7459310027770698, 0.8391114501282573, -0.9374816459603608, 0.5124876867048442]
    expected = np.float32(np.array(first) * np.sqrt(6 / 9))
    np.testing.assert_array_equal(formula_weights["features.0.weight"].flatten()[:4], expected)


@pytest.mark.numerical
def test_golden_embeddings_are_those_of_the_network(exact, examples, golden):
    expected = exact(examples.double()).numpy()
    with np.load(golden / "golden_vggish.npz") as theirs:
        assert rounding.error(theirs["embedding_prerelu"], expected) < rounding.VGGISH
        assert rounding.error(theirs["embedding_relu"], expected.clip(0)) < rounding.VGGISH


@pytest.mark.numerical
@pytest.mark.parametrize("final_relu", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_rounding_error_is_that_of_float32(form, final_relu, formula_weights, exact, examples):
    expected = exact(examples.double()).numpy()
    ours = FORMS[form](network(formula_weights, final_relu))(examples.numpy())
    assert rounding.error(ours, expected.clip(0) if final_relu else expected) < rounding.VGGISH


@pytest.mark.numerical
def test_torchvggish_takes_the_same_weights_and_gives_the_same_embeddings(formula_weights, exact, examples):
    torchvggish = pytest.importorskip("torchvggish")
    with torch.device("meta"):
        theirs = torchvggish.VGG(torchvggish.make_layers(), postprocess=False)
    assert {key: tensor.shape for key, tensor in theirs.state_dict().items()} == {
        key: tensor.shape for key, tensor in formula_weights.items()
    }
    theirs.load_state_dict({key: tensor.double() for key, tensor in formula_weights.items()}, assign=True)
    with torch.inference_mode():
        expected = theirs.eval()(examples.double())
    torch.testing.assert_close(exact(examples.double()).clip(0), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.numerical
@pytest.mark.parametrize("form", FORMS)
def test_an_embedding_does_not_depend_on_its_batch(form, formula_weights, exact, examples):
    run = FORMS[form](network(formula_weights, final_relu=False))
    alone = np.concatenate([run(example[None].numpy()) for example in examples])
    assert rounding.error(alone, exact(examples.double()).numpy()) < rounding.VGGISH


def test_a_batch_that_does_not_fit_is_halved_and_so_are_later_batches():
    class Small(torch.nn.Module):
        def forward(self, batch):
            sizes.append(len(batch))
            if len(batch) > 3:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return batch[:, :2, 0, 0]

    sizes: list[int] = []
    start = DeviceModel(Small(), "cpu", "fp32")
    batch = np.arange(160.0, dtype=np.float32).reshape(10, 4, 2, 2)
    for _ in range(2):
        np.testing.assert_array_equal(start(batch)(), batch[:, :2, 0, 0])
    assert sizes == [10, 5, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]


def test_the_time_that_the_device_computes_is_measured():
    class Slow(torch.nn.Module):
        def forward(self, batch):
            time.sleep(0.05)
            return batch

    start = DeviceModel(Slow(), "cpu", "fp32")
    assert start.busy_seconds() == 0
    began = time.monotonic()
    for wait in [start(np.zeros((1, 1, 2, 2), np.float32)) for _ in range(3)]:
        wait()
    assert 0.15 <= start.busy_seconds() <= time.monotonic() - began


def test_the_time_that_the_cores_compute_is_measured(formula_weights, examples):
    run = CpuVGGish(network(formula_weights), threads=2)
    began = time.monotonic()
    run(examples.numpy())()
    assert 0 < run.busy_seconds() <= time.monotonic() - began


@pytest.mark.parametrize("precision", ["tf32", "fp32"])
def test_tf32_is_used_only_on_request(precision):
    DeviceModel(torch.nn.Linear(2, 2), "cpu", precision)
    assert torch.backends.cudnn.allow_tf32 is (precision == "tf32")
    assert torch.backends.cuda.matmul.allow_tf32 is (precision == "tf32")
