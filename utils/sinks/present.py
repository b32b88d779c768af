"""Which sources need no work, because of the outputs that are there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from torch_zoo.utils.types import Outcome, OutputConflictError, Sink, Source


def settled(source: Source, sink: Sink, arrays: Mapping[str, np.dtype], overwrite: bool) -> Outcome | None:
    """What is known of a source before any work: its features are there, or its name is taken by those of another."""
    if overwrite:
        return None
    try:
        return Outcome(source, "skipped") if sink.has(source, arrays) else None
    except OutputConflictError as conflict:
        return Outcome(source, "failed", str(conflict))
