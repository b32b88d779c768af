"""TensorFlow checkpoints are recognized and converted once; tests/with_tensorflow uses TensorFlow itself."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from torch_zoo.utils import tensorflow_checkpoints
from torch_zoo.utils.checkpoints import resolve
from torch_zoo.utils.downloads import PublishedFile
from torch_zoo.utils.tensorflow_checkpoints import TensorFlowCheckpoint, Variable, recognize
from torch_zoo.utils.types import UsageError

NOWHERE = PublishedFile("https://127.0.0.1:9/none.pth", "00", "none")
VARIABLES = {"weight": Variable("scope/weights", (2, 3))}
TABLE = b"some variables" + bytes.fromhex("57fb808b247547db")

# A stand-in for TensorFlow, to test the conversion process.
STAND_IN = """
import sys
from types import SimpleNamespace
class OpError(Exception): pass
errors = SimpleNamespace(OpError=OpError)
def load_checkpoint(prefix):
    print("chatter", file=sys.stderr)
    raise OpError(f"no\\ntable in {prefix}")
train = SimpleNamespace(load_checkpoint=load_checkpoint)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "hub" / "checkpoints"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """The prefix of a checkpoint in two parts."""
    for part in ("index", "data-00000-of-00002", "data-00001-of-00002"):
        (tmp_path / f"v2.ckpt.{part}").write_bytes(TABLE if part == "index" else b"values")
    (tmp_path / "v2.ckpt-2.data-00000-of-00001").write_bytes(b"another's")
    return tmp_path / "v2.ckpt"


def test_the_old_format_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "vggish_model.ckpt"
    path.write_bytes(TABLE)
    assert recognize(path) == TensorFlowCheckpoint(path, (path,))


def test_the_new_format_is_named_by_its_prefix_or_its_index(prefix: Path) -> None:
    parts = ("index", "data-00000-of-00002", "data-00001-of-00002")
    whole = TensorFlowCheckpoint(prefix, tuple(Path(f"{prefix}.{part}") for part in parts))
    assert recognize(prefix) == whole
    assert recognize(Path(f"{prefix}.index")) == whole


@pytest.mark.parametrize("content", [b"", b"short", TABLE + b"\n", bytes(1000)])
def test_other_files_are_not_recognized(content: bytes, tmp_path: Path) -> None:
    for name in ("some.ckpt", "some.index"):
        (tmp_path / name).write_bytes(content)
        assert recognize(tmp_path / name) is None
        assert resolve(str(tmp_path / name), NOWHERE, 0, VARIABLES).path == tmp_path / name


@pytest.mark.parametrize("name", ["gone.ckpt", "gone/gone.ckpt", ".", "", "/"])
def test_a_missing_path(name: str) -> None:
    with pytest.raises(UsageError, match=f"checkpoint={name}: no such file"):
        resolve(name, NOWHERE, 0, VARIABLES)


def test_missing_files_are_reported(prefix: Path) -> None:
    data = [Path(f"{prefix}.data-0000{number}-of-00002") for number in range(2)]
    with pytest.raises(UsageError, match=rf"{data[0]}: only one file of .* give its prefix: checkpoint={prefix}$"):
        recognize(data[0])
    for file in data:
        file.rename(f"{file}.away")
    for named in (prefix, Path(f"{prefix}.index")):
        with pytest.raises(UsageError, match=rf"{prefix}\.data-00000-of-00001: missing"):
            recognize(named)
    Path(f"{data[0]}.away").rename(data[0])
    Path(f"{prefix}.index").unlink()
    with pytest.raises(UsageError, match=rf"{prefix}\.index: missing; .* TensorFlow checkpoint as {data[0].name}"):
        recognize(prefix)


def test_without_tensorflow_the_message_names_the_extra(
    prefix: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as raised:
        resolve(str(prefix), NOWHERE, 0, VARIABLES)
    assert "pip install tensorflow" in str(raised.value)
    assert "the extra `tensorflow`" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(cache.glob("*.pth")) == []
    pyproject = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert re.search(r"^tensorflow = \[\n +\"tensorflow>=", pyproject, re.MULTILINE)


def test_a_network_without_tensorflow_variables_expects_a_pytorch_file(tmp_path: Path) -> None:
    (tmp_path / "v1.ckpt").write_bytes(TABLE)
    with pytest.raises(UsageError, match="not a readable PyTorch file"):
        resolve(str(tmp_path / "v1.ckpt"), NOWHERE, 0).load(nn.Linear(3, 2))


def test_a_checkpoint_is_converted_once_until_it_changes(
    prefix: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = []

    def convert(checkpoint: TensorFlowCheckpoint, variables: Mapping[str, Variable], path: Path) -> None:
        converted.append(checkpoint.prefix)
        torch.save({"weight": torch.full((3, 2), float(len(converted)))}, path)

    monkeypatch.setattr(tensorflow_checkpoints, "convert", convert)
    first = resolve(str(prefix), NOWHERE, 0, VARIABLES)
    assert first.path.parent == cache
    assert resolve(f"{prefix}.index", NOWHERE, 0, VARIABLES) == first
    assert converted == [prefix]
    network = nn.Linear(2, 3, bias=False, device="meta")
    first.load(network)
    assert torch.equal(network.weight, torch.ones(3, 2))

    Path(f"{prefix}.data-00001-of-00002").write_bytes(b"other values")
    second = resolve(str(prefix), NOWHERE, 0, VARIABLES)
    assert second.path != first.path
    assert second.identity != first.identity
    resolve(str(prefix), NOWHERE, 0, {"other": VARIABLES["weight"]})  # the same file for another network
    assert len(converted) == 3


def test_tensorflows_error_is_reported_in_one_line(
    prefix: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorflow.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    with pytest.raises(UsageError) as raised:
        resolve(str(prefix), NOWHERE, 0, VARIABLES)
    assert str(raised.value) == f"{prefix}: cannot be converted: it is damaged (no table in {prefix})"
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []


def test_a_converter_that_crashes_is_reported(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, -9, "", ""))
    with pytest.raises(UsageError, match=r"v2\.ckpt: cannot be converted: exit code -9"):
        resolve(str(prefix), NOWHERE, 0, VARIABLES)


def test_an_unwritable_cache_is_reported(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(UsageError, match=r"cannot write the converted"):
        resolve(str(prefix), NOWHERE, 0, VARIABLES)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((5,), (0,)), ((2, 3), (1, 0)), ((3, 3, 1, 64), (3, 2, 0, 1)), ((7, 7, 7, 3, 64), (4, 3, 0, 1, 2))],
)
def test_axes_are_in_torchs_order(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    assert Variable("w", shape).axes == axes
