"""What a run is about, in its first line: what is extracted, how, on what, and how many sources there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch_zoo.utils.engines.news import Devices
from torch_zoo.utils.options import fields
from torch_zoo.utils.runs.disclosure import disclosed
from torch_zoo.utils.types import Extractor, Timing


@dataclass(frozen=True, kw_only=True)
class About:
    """What is known of a run before it begins."""

    feature_type: str
    settings: Sequence[str] = ()  # for people
    notes: Sequence[str] = ()  # lines that come first
    shard: str = ""  # which part of the sources this is
    timing: Timing | None = None
    destination: str = ""  # where features are stored, if they are

    def opening(self, devices: Devices | None, num_sources: int, done_before: int) -> str:
        """The devices are None where there is nothing to do."""
        where = f" on {_listed(devices)}" if devices else ""
        sources = "1 source" if num_sources == 1 else f"{num_sources} sources"
        before = f", {done_before} done before" if done_before else ""
        return f"{', '.join([self.feature_type + where, *self.settings])}: {sources}{before}"


def settings(presets: Mapping[str, str], given: Mapping[str, Any], extractor: Extractor) -> list[str]:
    """Which weights an extractor has, and what else the user set of it: `weights random`, `hop_seconds=0.48`."""
    options = fields(type(extractor))
    weights = [f"weights {_weights(extractor)}"] if "checkpoint" in options else []
    changed = {name: value for name, value in given.items() if name in options and name != "checkpoint"}
    return [*weights, *(f"{name}={_written(value)}" for name, value in {**presets, **disclosed(changed)}.items())]


def _weights(extractor: Any) -> str:
    """Those that a demo found, too."""
    if extractor.checkpoint != "demo":
        return str(disclosed({"": extractor.checkpoint})[""])
    return "random" if "random" in str(extractor.settings["checkpoint"]) else "pretrained"


def _listed(devices: Devices) -> str:
    cores = "1 core" if devices.cores == 1 else f"{devices.cores} cores"
    counts = Counter(devices.names)
    listed = ", ".join(name if count == 1 else f"{count} x {name}" for name, count in counts.items())
    if "cpu" not in counts:
        return listed
    return f"{listed} ({cores}{' each' if counts['cpu'] > 1 else ''})"


def _written(value: Any) -> Any:
    return {"None": "null", "True": "true", "False": "false"}.get(str(value), value)
