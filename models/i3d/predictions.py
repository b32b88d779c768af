"""The classes of Kinetics-400 that I3D takes a stack for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

BEST = 5


def report(source: str, logits: Mapping[str, np.ndarray], times: np.ndarray) -> str:
    """The five best classes of each stack of a source, for each stream (T, 400) and, of two, for their sum."""
    names = classes()
    shown = dict(logits)
    if len(shown) > 1:
        shown[" + ".join(logits)] = np.sum(list(logits.values()), axis=0)
    lines = []
    for number, (start, end) in enumerate(times):
        for what, rows in shown.items():
            row = rows[number].astype(np.float64)
            exponentials = np.exp(row - row.max())
            probabilities = exponentials / exponentials.sum()
            lines.append(f"{source}: {start:.2f} - {end:.2f} s, {what}: logit, probability, class")
            lines += [f"{row[best]:8.3f} {probabilities[best]:.3f} {names[best]}" for best in np.argsort(-row)[:BEST]]
    return "\n".join(lines)


def classes() -> list[str]:
    """Names of the 400 classes, in the order of the logits."""
    from torchvision.models.video import R3D_18_Weights

    names: list[str] = R3D_18_Weights.DEFAULT.meta["categories"]
    return names
