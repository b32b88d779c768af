"""A made-up summary of a training on three classes, with names that HTML must escape."""

from __future__ import annotations

import numpy as np

from torch_zoo.utils.training.metrics import Predicted
from torch_zoo.utils.training.summary import Point, Summary
from torch_zoo.utils.types import Source

CLASSES = ("cat <meow>", "dog & bark", "whistle")


def summary(classes: tuple[str, ...] = CLASSES, clips: int = 60) -> Summary:
    random = np.random.default_rng(0)
    target = np.arange(clips) % len(classes)
    predicted = np.where(random.random(clips) < 0.7, target, random.integers(0, len(classes), clips))
    return Summary(
        title="Training on sounds",
        notes=["sounds: 300 clips", "resnet18"],
        unit="epoch",
        points=[Point(1, 1.5, 0.4, 1.25, 0.5), Point(2, 0.5, 0.8, 0.75, 0.7), Point(3, 0.25, 0.9, 0.875, 0.65)],
        best=2,
        classes=classes,
        clips=[Source(f"clips/{number}.wav", str(number), 30.0, 40.0) for number in range(clips)],
        target=target,
        predicted=Predicted(predicted, random.random(clips)),
    )
