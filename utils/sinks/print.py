"""Show features on stdout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torch_zoo.utils.predictions import report
from torch_zoo.utils.types import Features, Sink


@dataclass(frozen=True, kw_only=True)
class Print(Sink):
    """The path, for each array its key, its values in NumPy's short form and three figures, then the rows' spans."""

    def write(self, features: Features) -> str:
        source = features.source
        lines = [source.path if source.name in source.path else f"{source.path} ({source.name})"]
        for key, array in features.arrays.items():
            lines += [key, str(array)]
            if array.size:
                lines.append(f"max: {array.max():.8f}; mean: {array.mean():.8f}; min: {array.min():.8f}")
        lines += _rows(features.times)
        return "\n".join([*lines, report(features)])


def _rows(times: np.ndarray) -> list[str]:
    """`rows: 0.96 s, one every 0.96 s`, of spans (T, 2) s."""
    if len(times) < 2:
        return []
    window, hop = times[0, 1] - times[0, 0], times[1, 0] - times[0, 0]
    return [f"rows: {window:.3g} s, one every {hop:.3g} s"]
