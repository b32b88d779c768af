"""Resolve and load network weights. Nothing here imports torch before weights are loaded."""

from __future__ import annotations

import hashlib
import logging
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch_zoo.utils import tensorflow_checkpoints
from torch_zoo.utils.digests import fingerprint, sha256
from torch_zoo.utils.downloads import PublishedFile, hub_cache, local_copy, lock, verified
from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.tensorflow_checkpoints import TensorFlowCheckpoint, Variable
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

Rename = Callable[["Mapping[str, Tensor]"], "dict[str, Tensor]"]

COUNTER = "num_batches_tracked"
SEEDS = range(-(2**63), 2**64)  # that torch.Generator takes
WITHOUT_WEIGHTS = "; {0}=demo and {0}=random run without it, but their features are meaningless"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights that can be loaded: a local file, or a seed for random ones."""

    path: Path | None
    identity: str  # equal for equal values
    seed: int = 0

    def load(self, network: nn.Module, rename: Rename | None = None) -> None:
        """Load the weights into `network`, built on the meta device, on the CPU.

        `rename` maps a file's keys to the network's. The counters of batch norms, which nothing uses, may be missing.
        Raises UsageError if the file is damaged, does not fit the network or holds NaN or infinity.
        """
        expected = network.state_dict()
        state = dict(_read(self.path)) if self.path else random_weights(expected, self.seed)
        if self.path and rename:
            state = rename(state)
        counters = {key: like.new_zeros((), device="cpu") for key, like in expected.items() if key.endswith(COUNTER)}
        state = {key: tensor for key, tensor in state.items() if key not in counters}
        expected = {key: like for key, like in expected.items() if key not in counters}
        if problem := _mismatch(state, expected):
            raise UsageError(f"{self.path}: not the weights of {type(network).__name__}: {problem}")
        network.load_state_dict({**state, **counters}, assign=True)
        network.float()
        network.requires_grad_(False)
        if self.path and (key := _non_finite(network)):
            raise UsageError(f"{self.path}: {key} holds NaN or infinity; the file is damaged or its training diverged")


def resolve(
    checkpoint: str,
    pretrained: PublishedFile | None,
    seed: int,
    variables: Mapping[str, Variable] | None = None,
    option: str = "checkpoint",
) -> Checkpoint:
    """An option (`pretrained`, `demo`, `random` or a path) -> a checkpoint, downloaded if necessary.

    `pretrained` is None for a network of which no weights are published. With `variables`, which map tensors to
    TensorFlow variables, the path of a TensorFlow checkpoint is accepted too.
    Raises UsageError if the weights are unavailable; only `demo` then falls back to random weights, with a warning.
    """
    if checkpoint == "random":
        if seed not in SEEDS:
            raise UsageError(f"seed={seed}: must fit into 64 bits")
        return Checkpoint(None, f"random, seed {seed}", seed)
    if checkpoint == "pretrained":
        if pretrained is None:
            raise UsageError(f"{option}=pretrained: no weights of this network are published; give a path, or random")
        path, digest = verified(pretrained, option, WITHOUT_WEIGHTS.format(option))
        published = pretrained.sha256 or pretrained.git_blob
        return Checkpoint(path, fingerprint(path, digest if published else ""))
    if checkpoint == "demo":
        try:
            return resolve("pretrained", pretrained, seed, option=option)
        except UsageError as error:
            log.warning("%s", error)
            log.warning("DEMO: continuing with RANDOM weights; the features below are meaningless")
            return resolve("random", pretrained, seed)
    path = local_copy(checkpoint, option)
    if variables and (theirs := tensorflow_checkpoints.recognize(path)):
        path = _converted(theirs, variables)
    if not path.is_file():
        raise UsageError(f"{option}={checkpoint}: no such file; give a path, or pretrained, demo or random")
    return Checkpoint(path, fingerprint(path))


def _converted(theirs: TensorFlowCheckpoint, variables: Mapping[str, Variable]) -> Path:
    """The torch file converted from a TensorFlow checkpoint on first use; other content gets another file."""
    content = [sha256(file) for file in theirs.files]
    digest = hashlib.sha256(repr((content, variables)).encode()).hexdigest()
    path = hub_cache() / f"from-tensorflow-{digest[:32]}.pth"
    try:
        if not path.exists():
            with lock(path):
                if not path.exists():
                    with atomic_write(path) as partial:
                        tensorflow_checkpoints.convert(theirs, variables, partial)
    except OSError as error:
        raise UsageError(f"{path}: cannot write the converted {theirs.prefix} there ({error.strerror})") from error
    return path


def _read(path: Path) -> Mapping[str, Tensor]:
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=is_stored(path))
    except Exception as error:  # torch raises a different type for each way a file can be damaged
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, pickle.UnpicklingError):  # torch advises to load it all the same, which may run code
            reason = "it was not written by torch.save, or holds more than tensors"
        raise UsageError(f"{path}: not a readable PyTorch file of weights ({reason})") from error
    if not isinstance(state, Mapping):
        raise UsageError(f"{path}: holds a {type(state).__name__}, not a state dict")
    return state


def is_stored(path: Path) -> bool:
    """Is it a zip file, as torch.save writes them? Raises zipfile.BadZipFile if it would unpack to more than it is."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        if any(member.compress_type != zipfile.ZIP_STORED for member in file.infolist()):
            raise zipfile.BadZipFile("it is compressed, which torch.save does not do")
    return True


def random_weights(shapes: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Uniform weights of He's variance, zero biases and identity batch norms, drawn in the order of `shapes`."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key, like in shapes.items():
        if like.dim() > 1:
            bound = (6.0 / like[0].numel()) ** 0.5
            state[key] = torch.empty(like.shape).uniform_(-bound, bound, generator=generator)
        else:
            scale = key.endswith((".weight", ".running_var"))  # of a batch norm
            state[key] = torch.ones(like.shape) if scale else torch.zeros(like.shape)
    return state


def _mismatch(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    import torch

    for key, like in expected.items():
        if key not in state:
            return f"{key} is missing"
        if not hasattr(state[key], "shape") or not state[key].is_floating_point():
            return f"{key} is not a tensor of floating-point numbers"
        if state[key].layout != torch.strided or state[key].is_meta:
            return f"{key} is not a dense tensor"
        if state[key].shape != like.shape:
            return f"{key} is {tuple(state[key].shape)} instead of {tuple(like.shape)}"
    unknown = sorted(set(state) - set(expected))
    return f"{unknown[0]} does not belong to it" if unknown else ""


def _non_finite(network: nn.Module) -> str:
    """The key of the first tensor with NaN or infinity, or nothing."""
    import torch

    for key, tensor in network.state_dict().items():
        if not torch.stack(torch.aminmax(tensor)).isfinite().all():  # NaN is the least and the largest of its tensor
            return key
    return ""
