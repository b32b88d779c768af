"""Options from Python, as keyword arguments, checked like those of the command line; Hydra is not involved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch_zoo.utils import types
from torch_zoo.utils.devices import devices, gpu_index
from torch_zoo.utils.engines.local import Local
from torch_zoo.utils.options import build, import_target, reject_unused_options
from torch_zoo.utils.terminal.catalogue import Catalogue
from torch_zoo.utils.terminal.known import check_given
from torch_zoo.utils.types import UsageError


@dataclass(frozen=True)
class Composition:
    """What the options of an extraction in one process amount to."""

    extractor: types.Extractor
    workers: Local
    device: str  # cpu, or cuda:N


def compose(feature_type: str, given: Mapping[str, Any], catalogue: Catalogue) -> Composition:
    """Raises UsageError for an option that does not exist, is not for this extractor, or has a wrong value."""
    named = {name: str(value) for name, value in given.items()}
    check_given({"feature_type": feature_type, **named}, catalogue)
    chosen = catalogue.chosen({"feature_type": feature_type, **named})
    groups = {group: choice for group, choice in chosen.items() if group in ("feature_type", "preset")}
    path = catalogue.target("feature_type", feature_type) or ""
    target = import_target(path, f"feature_type={feature_type}")
    own = {name: value for name, value in given.items() if name != "preset"}
    reject_unused_options(own, {"feature_type": target}, [Local], f"{feature_type} in Python")
    options = {**catalogue.values(groups), **own}
    workers = build(Local, {**options, **_device(str(options["device"]), options["device_ids"])})
    names = devices(workers.device, workers.device_ids)
    if workers.device_ids and len(names) > 1:
        raise UsageError(f"device_ids={workers.device_ids}: one device per Extractor; make another for each of them")
    return Composition(build(target, options), workers, names[0])


def device_name(device: str) -> str:
    """`auto`, `cpu`, `cuda` or `cuda:N` -> the device, cpu or cuda:N. Raises UsageError."""
    workers = build(Local, _device(device, None))
    return devices(workers.device, workers.device_ids)[0]


def _device(name: str, ids: Any) -> dict[str, Any]:
    """`cuda:1` -> device=cuda, device_ids=[1]. Raises UsageError where both are given."""
    if (index := gpu_index(name)) is None:
        return {"device": name, "device_ids": ids}
    if ids is not None:
        raise UsageError(f"device={name} is device_ids=[{index}]; give one of device=cuda:N and device_ids, not both")
    return {"device": "cuda", "device_ids": [index]}
