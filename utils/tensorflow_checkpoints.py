"""Convert TensorFlow checkpoints to PyTorch files.

Only the conversion requires TensorFlow. It runs in a separate process, python -m
torch_zoo.utils.tensorflow_checkpoints, so that neither the driver nor the workers import TensorFlow.

In both formats, the table of variables ends with the same 8 bytes. V1 is one file; V2 is a table PREFIX.index and
the values in PREFIX.data-00000-of-00001.
"""

from __future__ import annotations

import glob
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

import torch_zoo
from torch_zoo.utils.types import UsageError

log = logging.getLogger(__name__)

TABLE_END = bytes.fromhex("57fb808b247547db")
DATA = re.compile(r"(.+)\.data-\d{5}-of-\d{5}")
HOME = Path(torch_zoo.__file__).parents[1]  # the folder from which `import torch_zoo` works


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a TensorFlow checkpoint."""

    name: str
    shape: tuple[int, ...]

    @property
    def axes(self) -> tuple[int, ...]:
        """The permutation to torch's axis order: kernels are (*space, in, out) here, (out, in, *space) in torch."""
        *space, last = range(len(self.shape))
        return (last, *reversed(space[-1:]), *space[:-1])


@dataclass(frozen=True, slots=True)
class TensorFlowCheckpoint:
    """The files of a TensorFlow checkpoint."""

    prefix: Path  # the name that TensorFlow uses for it
    files: tuple[Path, ...]


def recognize(path: Path) -> TensorFlowCheckpoint | None:
    """The checkpoint that `path` (a V1 file, an .index file or a prefix) refers to; None if it is not a checkpoint.

    Raises UsageError if one of its files is missing, or if `path` is one of its data files.
    """
    if part := DATA.fullmatch(str(path)):
        raise UsageError(f"{path}: only one file of a TensorFlow checkpoint; give its prefix: checkpoint={part[1]}")
    if path.is_file() and path.suffix != ".index":
        return TensorFlowCheckpoint(path, (path,)) if _is_table(path) else None
    prefix = path.with_suffix("") if path.suffix == ".index" else path
    index = Path(f"{prefix}.index")
    data = sorted(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-?????-of-?????"))
    if index.is_file() and data:
        return TensorFlowCheckpoint(prefix, (index, *data))
    if data:
        raise UsageError(f"{index}: missing; it belongs to the same TensorFlow checkpoint as {data[0].name}")
    if index.is_file() and _is_table(index):
        raise UsageError(f"{prefix}.data-00000-of-00001: missing; it holds the values of the TensorFlow checkpoint")
    return None


def convert(checkpoint: TensorFlowCheckpoint, variables: Mapping[str, Variable], path: Path) -> None:
    """Write the tensors to a PyTorch file, under our keys; ignore all other variables of the checkpoint.

    Raises UsageError if TensorFlow is not installed, or the checkpoint is damaged or belongs to another network.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise UsageError(
            f"{checkpoint.prefix}: a TensorFlow checkpoint; converting it (once) requires TensorFlow, the extra "
            "`tensorflow` in pyproject.toml: pip install tensorflow"
        )
    log.warning("%s: converting this TensorFlow checkpoint (only once)", checkpoint.prefix)
    ran = subprocess.run(
        [sys.executable, "-m", "torch_zoo.utils.tensorflow_checkpoints", checkpoint.prefix.absolute(), path.absolute()],
        cwd=HOME,
        env={
            **os.environ,
            "CUDA_VISIBLE_DEVICES": "",
        },  # TensorFlow would allocate all GPU memory
        input=json.dumps({key: astuple(variable) for key, variable in variables.items()}),
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        reason = (ran.stderr.strip() or f"exit code {ran.returncode}").splitlines()[-1]
        raise UsageError(f"{checkpoint.prefix}: cannot be converted: {reason}")


def read(prefix: str, variables: Mapping[str, Variable]) -> dict[str, np.ndarray]:
    """The tensors under our keys, in torch's axis order; imports TensorFlow. Raises UsageError."""
    import tensorflow

    arrays = {}
    try:
        reader = tensorflow.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
        for key, variable in variables.items():
            if variable.name not in shapes:
                raise UsageError(f"it belongs to another network: {variable.name} is missing")
            if (shape := tuple(shapes[variable.name])) != variable.shape:
                raise UsageError(f"it belongs to another network: {variable.name} is {shape}, not {variable.shape}")
            arrays[key] = reader.get_tensor(variable.name).transpose(variable.axes)
    except (tensorflow.errors.OpError, ValueError) as error:
        raise UsageError(" ".join(f"it is damaged ({error})".split())) from error
    return arrays


def main() -> None:
    """Arguments PREFIX PATH and the variables on stdin, as `convert` passes them; stderr ends with the error."""
    variables = {key: Variable(name, tuple(shape)) for key, (name, shape) in json.load(sys.stdin).items()}
    try:
        arrays = read(sys.argv[1], variables)
    except UsageError as error:
        sys.exit(str(error))
    import torch

    torch.save({key: torch.from_numpy(array.copy()) for key, array in arrays.items()}, sys.argv[2])


def _is_table(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(TABLE_END)))
        return file.read() == TABLE_END


if __name__ == "__main__":
    main()
