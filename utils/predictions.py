"""Top-k predictions as text, and the names of known label sets."""

from __future__ import annotations

import numpy as np

from torch_zoo.utils.types import Features

TOP_K = 5


def report(features: Features) -> str:
    """The top 5 classes of each window of a source, with logit and softmax probability; empty without predictions."""
    if features.predictions is None:
        return ""
    lines = []
    for number, (start, end) in enumerate(features.times):
        for name, rows in features.predictions.logits.items():
            row = rows[number].astype(np.float64)
            probabilities = softmax(row)
            lines.append(f"{features.source.name}: {start:.2f} - {end:.2f} s, {name}: logit, probability, class")
            lines += [
                f"{row[top]:8.3f} {probabilities[top]:.3f} {features.predictions.classes[top]}"
                for top in np.argsort(-row)[:TOP_K]
            ]
    return "\n".join(lines)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits (..., classes) -> probabilities (..., classes), float64."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True).astype(np.float64))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def kinetics_400() -> list[str]:
    """Class names of Kinetics-400, in the order of the logits of networks trained on it."""
    from torchvision.models.video import R3D_18_Weights

    names: list[str] = R3D_18_Weights.DEFAULT.meta["categories"]
    return names
