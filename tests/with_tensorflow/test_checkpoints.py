"""Checkpoints written by TensorFlow give the same embeddings as in TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from command import ROOT, SPEECH, run

from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.models.vggish.network import VGGish
from torch_zoo.models.vggish.weights import VARIABLES, WEIGHTS
from torch_zoo.utils.checkpoints import resolve
from torch_zoo.utils.tensorflow_checkpoints import read, recognize
from torch_zoo.utils.types import Source, UsageError

tf = pytest.importorskip("tensorflow", reason="make test-tensorflow runs this")
v1 = tf.compat.v1
pytestmark = pytest.mark.tensorflow

LAYERS = {  # scope: layer of ours
    "conv1": "features.0",
    "conv2": "features.3",
    "conv3/conv3_1": "features.6",
    "conv3/conv3_2": "features.8",
    "conv4/conv4_1": "features.11",
    "conv4/conv4_2": "features.13",
    "fc1/fc1_1": "embeddings.0",
    "fc1/fc1_2": "embeddings.2",
    "fc2": "embeddings.4",
}
POOLED = ("conv1", "conv2", "conv3/conv3_2", "conv4/conv4_2")
FORMATS = {"v1": v1.train.SaverDef.V1, "v2": v1.train.SaverDef.V2}
CLOSE = 2e-5  # of the largest value

Embed = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(home))
        yield home / "hub" / "checkpoints"


@pytest.fixture(scope="module")
def session(formula_weights: dict[str, torch.Tensor]) -> Iterator[v1.Session]:
    """VGGish in TensorFlow's own operations, from `examples` (N, 96, 64) to `embedding` (N, 128), no final ReLU.

    Beside its variables are such as training leaves in a checkpoint.
    """
    with tf.Graph().as_default(), v1.Session() as session:
        net = v1.placeholder(tf.float32, (None, 96, 64), "examples")[..., None]
        for scope, layer in LAYERS.items():
            weight, bias = (formula_weights[f"{layer}.{kind}"].numpy() for kind in ("weight", "bias"))
            convolution = weight.ndim == 4
            kernel = variable(f"vggish/{scope}/weights", weight.transpose(2, 3, 1, 0) if convolution else weight.T)
            if not convolution:
                net = tf.reshape(net, (-1, kernel.shape[0]))
            net = tf.nn.conv2d(net, kernel, 1, "SAME") if convolution else net @ kernel
            net += variable(f"vggish/{scope}/biases", bias)
            net = tf.identity(net, "embedding") if scope == "fc2" else tf.nn.relu(net)
            if scope in POOLED:
                net = tf.nn.max_pool2d(net, 2, 2, "SAME")
        variable("global_step", np.int64(7))
        variable("vggish/conv1/weights/Adam", np.ones((3, 3, 1, 64), np.float32))
        variable("mymodel/logits/biases", np.ones(3, np.float32))
        yield session


def variable(name: str, value: np.ndarray) -> tf.Variable:
    made = v1.get_variable(name, value.shape, value.dtype, v1.zeros_initializer())
    session = v1.get_default_session()
    session.run(made.initializer)
    made.load(value, session)
    return made


@pytest.fixture(scope="module")
def embed(session: v1.Session) -> Embed:
    return lambda examples: session.run("embedding:0", {"examples:0": examples})


@pytest.fixture(scope="module")
def saved(session: v1.Session, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Path of VGGish's checkpoint in a format."""
    folder = tmp_path_factory.mktemp("checkpoints")
    with session.graph.as_default():
        for name, version in FORMATS.items():
            v1.train.Saver(write_version=version).save(session, f"{folder}/{name}.ckpt", write_meta_graph=False)
    return lambda name: f"{folder}/{name}"


def write(path: Path, values: dict[str, np.ndarray], version: int) -> None:
    """A checkpoint of these values."""
    with tf.Graph().as_default(), v1.Session() as session:
        for name, value in values.items():
            variable(name, value)
        v1.train.Saver(write_version=version).save(session, str(path), write_meta_graph=False)


@pytest.mark.parametrize("name", ["v1.ckpt", "v2.ckpt", "v2.ckpt.index"])
def test_every_tensor_is_read(name: str, saved: Callable[[str], str], formula_weights: dict[str, torch.Tensor]) -> None:
    found = recognize(Path(saved(name)))
    assert found
    arrays = read(str(found.prefix), VARIABLES)
    assert list(arrays) == list(formula_weights)
    assert all(np.array_equal(arrays[key], value) for key, value in formula_weights.items())


def test_embeddings_equal_tensorflows(saved: Callable[[str], str], embed: Embed) -> None:
    n, f, b = np.ogrid[:3, :96, :64]
    examples = np.float32(1.5 * np.sin(0.21 * f + 0.09 * b + n) + np.cos(0.05 * f - 0.33 * b + 2 * n) - 1)
    theirs = embed(examples)
    with torch.device("meta"):
        network = VGGish(final_relu=False)
    resolve(saved("v2.ckpt"), WEIGHTS, 0, VARIABLES).load(network)
    with torch.inference_mode():
        ours = network(torch.from_numpy(examples[:, None]))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=CLOSE * np.abs(theirs).max())


def test_from_the_command_line(saved: Callable[[str], str], embed: Embed, tmp_path: Path) -> None:
    options = ("device=cpu", "activation=none", "on_extraction=save_numpy", f"output_path={tmp_path}")
    result = run("feature_type=vggish", *options, f"checkpoint={saved('v1.ckpt')}", f"video_paths={SPEECH}")
    assert result.code == 0, result.stderr
    windows = VGGishExtractor(checkpoint="random").windows(Source(str(ROOT / SPEECH), "speech"))
    theirs = embed(np.concatenate([part.data[:, 0] for part in windows]))
    ours = np.load(tmp_path / "vggish/speech_vggish.npy")
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=CLOSE * np.abs(theirs).max())


def test_both_formats_and_a_torch_file_have_one_identity(
    saved: Callable[[str], str], formula_checkpoint: Path, cache: Path
) -> None:
    paths = [saved("v1.ckpt"), saved("v2.ckpt"), str(formula_checkpoint)]
    assert len({resolve(path, WEIGHTS, 0, VARIABLES).identity for path in paths}) == 1
    assert len(list(cache.glob("*.pth"))) == 2  # each was converted once


@pytest.mark.parametrize("version", FORMATS.values(), ids=FORMATS)
def test_missing_variables_and_other_shapes_are_reported(version: int, tmp_path: Path) -> None:
    kernel = {"vggish/conv1/weights": np.ones((3, 3, 1, 64), np.float32)}
    wrong = {"vggish/conv1/weights": np.ones((3, 3, 3, 64), np.float32)}
    for values, problem in (
        (kernel, "vggish/conv1/biases is missing"),
        (wrong, "vggish/conv1/weights is (3, 3, 3, 64), not (3, 3, 1, 64)"),
    ):
        write(tmp_path / "other.ckpt", values, version)
        with pytest.raises(UsageError, match=re.escape(f"it belongs to another network: {problem}")):
            read(str(tmp_path / "other.ckpt"), VARIABLES)


def test_damage_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "damaged.ckpt"
    write(path, {"vggish/conv1/weights": np.ones((3, 3, 1, 64), np.float32)}, FORMATS["v1"])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + content[-48:])  # without a part in the middle
    assert recognize(path)
    with pytest.raises(UsageError, match=r"^it is damaged \(.+\)$"):
        read(str(path), VARIABLES)
