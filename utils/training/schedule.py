"""The learning rate over a run: a linear warm-up, then constant or a cosine to zero."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

Decay = Literal["cosine", "constant"]
Schedule = Callable[[int], float]  # steps that were taken -> factor of the learning rate, 0 to 1


def schedule(decay: Decay, *, warmup: int, total: int) -> Schedule:
    """`warmup` steps (n + 1) / (warmup + 1), then `decay` over the rest of `total` steps.

    The cosine is that of Loshchilov & Hutter 2017 (arXiv:1608.03983), without restarts.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if decay == "constant":
            return 1.0
        progress = min(1.0, (step - warmup) / max(1, total - warmup))
        return 0.5 * (1.0 + math.cos(math.pi * progress))

    return factor


def constant(step: int) -> float:
    """The same learning rate at every step."""
    return 1.0
