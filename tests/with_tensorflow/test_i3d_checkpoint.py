"""A checkpoint written by TensorFlow, with DeepMind's variable names, loads into I3D."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from torch_zoo.models.i3d.network import I3D
from torch_zoo.models.i3d.weights import WEIGHTS, variables, with_norm_weights
from torch_zoo.utils.checkpoints import resolve
from torch_zoo.utils.tensorflow_checkpoints import read
from torch_zoo.utils.types import UsageError

tf = pytest.importorskip("tensorflow", reason="make test-tensorflow runs this")
pytestmark = pytest.mark.tensorflow

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def values() -> Arrays:
    """Random values for every variable of the RGB stream, scaled so that activations stay in range."""
    generator = np.random.default_rng(5)
    found = {}
    for variable in variables("rgb").values():
        draws = generator.standard_normal(variable.shape, np.float32)
        if variable.name.endswith("/conv_3d/w"):
            draws *= np.sqrt(2 / np.prod(variable.shape[:-1]), dtype=np.float32)
        elif variable.name.endswith("/moving_variance"):
            draws = 1 + np.abs(draws)
        found[variable.name] = draws
    return found


@pytest.fixture(scope="module")
def saved(values: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prefix of the checkpoint; besides the variables, it has the step counter of training."""
    prefix = tmp_path_factory.mktemp("rgb_imagenet") / "model.ckpt"
    tensors = {**values, "global_step": np.int64(7)}
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[*tensors.values()],
    )
    return prefix


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def test_features_equal_those_of_the_transposed_variables(saved: Path, values: Arrays, cache: Path) -> None:
    with torch.device("meta"):
        network = I3D(3)
    resolve(str(saved), WEIGHTS["rgb"], 0, variables("rgb")).load(network, with_norm_weights)

    expected = I3D(3)  # a new batch norm's weights are ones
    state = expected.state_dict()
    for key, variable in variables("rgb").items():
        array = values[variable.name]
        state[key].copy_(torch.from_numpy(np.einsum("thwio->oithw", array) if array.ndim == 5 else array))

    t, y, x = np.ogrid[:10, :224, :224]
    colors = [np.sin(0.11 * x - 0.3 * t + c) * np.cos(0.07 * y + 0.2 * t - c) for c in range(3)]
    clip = torch.from_numpy(np.stack(colors)[None].astype(np.float32))
    with torch.inference_mode():
        for ours, theirs in zip(network.eval()(clip), expected.eval()(clip), strict=True):
            assert theirs.std() > 0.01
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * float(theirs.abs().max()))
    assert len(list(cache.glob("*.pth"))) == 1


def test_a_checkpoint_of_the_other_stream_is_reported(saved: Path) -> None:
    with pytest.raises(UsageError, match=r"another network: Flow/inception_i3d/Conv3d_1a_7x7/conv_3d/w is missing"):
        read(str(saved), variables("flow"))
