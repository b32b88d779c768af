"""Show features on stdout."""

from __future__ import annotations

from dataclasses import dataclass

from torch_zoo.utils.predictions import report
from torch_zoo.utils.types import Features, Sink


@dataclass(frozen=True, kw_only=True)
class Print(Sink):
    """The path, then for each array its key, its values in NumPy's short form and three figures."""

    def write(self, features: Features) -> str:
        source = features.source
        lines = [source.path if source.name in source.path else f"{source.path} ({source.name})"]
        for key, array in features.arrays.items():
            lines += [key, str(array)]
            if array.size:
                lines.append(f"max: {array.max():.8f}; mean: {array.mean():.8f}; min: {array.min():.8f}")
        return "\n".join([*lines, report(features)])
