"""Resolve, download, verify and load network weights. Nothing here imports torch before weights are loaded."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from torch_zoo.utils import tensorflow_checkpoints
from torch_zoo.utils.digests import fingerprint, git_blob, sha256
from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.tensorflow_checkpoints import TensorFlowCheckpoint, Variable
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

Rename = Callable[["Mapping[str, Tensor]"], "dict[str, Tensor]"]

TIMEOUT_SECONDS = 30
COUNTER = "num_batches_tracked"
SEEDS = range(-(2**63), 2**64)  # that torch.Generator takes
WITHOUT_WEIGHTS = "; {0}=demo and {0}=random run without it, but their features are meaningless"


@dataclass(frozen=True, slots=True)
class PretrainedWeights:
    """A published file of weights."""

    url: str
    sha256: str  # hex; only the leading digits if no more are published, empty if none are
    license: str
    git_blob: str = ""  # hex; the file's Git object ID, if no SHA-256 is published
    name: str = ""  # of the cached file, if the URL's last part is ambiguous

    @property
    def cached(self) -> Path:
        """Its place in torch.hub's cache."""
        return hub_cache() / (self.name or self.url.rsplit("/", 1)[-1])


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
    pretrained: PretrainedWeights,
    seed: int,
    variables: Mapping[str, Variable] | None = None,
    option: str = "checkpoint",
) -> Checkpoint:
    """An option (`pretrained`, `demo`, `random` or a path) -> a checkpoint, downloaded if necessary.

    With `variables`, which map tensors to TensorFlow variables, the path of a TensorFlow checkpoint is accepted too.
    Raises UsageError if the weights are unavailable; only `demo` then falls back to random weights, with a warning.
    """
    if checkpoint == "random":
        if seed not in SEEDS:
            raise UsageError(f"seed={seed}: must fit into 64 bits")
        return Checkpoint(None, f"random, seed {seed}", seed)
    if checkpoint == "pretrained":
        path, digest = _verified(pretrained, option)
        published = pretrained.sha256 or pretrained.git_blob
        return Checkpoint(path, fingerprint(path, digest if published else ""))
    if checkpoint == "demo":
        try:
            return resolve("pretrained", pretrained, seed, option=option)
        except UsageError as error:
            log.warning("%s", error)
            log.warning("DEMO: continuing with RANDOM weights; the features below are meaningless")
            return resolve("random", pretrained, seed)
    path = Path(checkpoint).expanduser()
    if variables and (theirs := tensorflow_checkpoints.recognize(path)):
        path = _converted(theirs, variables)
    if not path.is_file():
        raise UsageError(f"{option}={checkpoint}: no such file; give a path, or pretrained, demo or random")
    return Checkpoint(path, fingerprint(path))


def hub_cache() -> Path:
    """torch.hub's folder of checkpoints, by the rules of torch.hub.get_dir."""
    base = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(base, "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


def resolve_file(given: str, pretrained: PretrainedWeights, option: str) -> Path:
    """`pretrained` -> the published file, downloaded if necessary; else the given path. Raises UsageError."""
    if given == "pretrained":
        return _verified(pretrained, option)[0]
    path = Path(given).expanduser()
    if not path.is_file():
        raise UsageError(f"{option}={given}: no such file; give a path, or pretrained")
    return path


def _verified(pretrained: PretrainedWeights, option: str) -> tuple[Path, str]:
    """The cached file, downloaded if necessary, and its SHA-256."""
    path = pretrained.cached
    try:
        if not path.exists():  # a cache that has the file may be read-only
            with _locked(path):  # the first process downloads
                if not path.exists():
                    _download(pretrained, path)
    except OSError as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UsageError(
            f"cannot download {pretrained.url} ({reason}). Put the file at {path}, or name it with {option}=PATH"
            + (WITHOUT_WEIGHTS.format(option) if option.endswith("checkpoint") else "")
        ) from error
    digest = sha256(path)
    if not _is_intact(path, digest, pretrained):
        raise UsageError(f"{path}: its digest is not that of {pretrained.url}; delete it and retry")
    return path, digest


def _locked(path: Path) -> AbstractContextManager[object]:
    from filelock import FileLock  # takes an eighth of a second, which most runs can do without

    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{path}.lock")


def _is_intact(path: Path, digest: str, pretrained: PretrainedWeights) -> bool:
    if pretrained.git_blob and git_blob(path) != pretrained.git_blob:
        return False
    return digest.startswith(pretrained.sha256)


def _download(pretrained: PretrainedWeights, path: Path) -> None:
    with atomic_write(path) as partial:
        with urllib.request.urlopen(pretrained.url, timeout=TIMEOUT_SECONDS) as response, partial.open("wb") as file:
            size = int(response.headers.get("Content-Length", 0)) or None
            with tqdm.wrapattr(response, "read", total=size, desc=path.name) as counted:
                shutil.copyfileobj(counted, file, 1 << 20)
        if not _is_intact(partial, sha256(partial), pretrained):
            raise OSError("the download is not the published file: its digest differs")


def _converted(theirs: TensorFlowCheckpoint, variables: Mapping[str, Variable]) -> Path:
    """The torch file converted from a TensorFlow checkpoint on first use; other content gets another file."""
    content = [sha256(file) for file in theirs.files]
    digest = hashlib.sha256(repr((content, variables)).encode()).hexdigest()
    path = hub_cache() / f"from-tensorflow-{digest[:32]}.pth"
    try:
        if not path.exists():
            with _locked(path):
                if not path.exists():
                    with atomic_write(path) as partial:
                        tensorflow_checkpoints.convert(theirs, variables, partial)
    except OSError as error:
        raise UsageError(f"{path}: cannot write the converted {theirs.prefix} there ({error.strerror})") from error
    return path


def _read(path: Path) -> Mapping[str, Tensor]:
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # torch raises a different type for each way a file can be damaged
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path}: not a readable PyTorch file of weights ({reason})") from error
    if not isinstance(state, Mapping):
        raise UsageError(f"{path}: holds a {type(state).__name__}, not a state dict")
    return state


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
