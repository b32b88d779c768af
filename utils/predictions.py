"""Top-k predictions as text, and the names of known label sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

TOP_K = 5


def report(source: str, logits: Mapping[str, np.ndarray], times: np.ndarray, classes: Sequence[str]) -> str:
    """The top 5 classes of each window of a source, with logit and softmax probability.

    Args:
        source: name of the source.
        logits: name of each stream or head -> its logits (T, len(classes)).
        times: start and end of each window, (T, 2) seconds.
        classes: class names, in the order of the logits.
    """
    lines = []
    for number, (start, end) in enumerate(times):
        for name, rows in logits.items():
            row = rows[number].astype(np.float64)
            exponentials = np.exp(row - row.max())
            probabilities = exponentials / exponentials.sum()
            lines.append(f"{source}: {start:.2f} - {end:.2f} s, {name}: logit, probability, class")
            lines += [f"{row[top]:8.3f} {probabilities[top]:.3f} {classes[top]}" for top in np.argsort(-row)[:TOP_K]]
    return "\n".join(lines)


def kinetics_400() -> list[str]:
    """Class names of Kinetics-400, in the order of the logits of networks trained on it."""
    from torchvision.models.video import R3D_18_Weights

    names: list[str] = R3D_18_Weights.DEFAULT.meta["categories"]
    return names
