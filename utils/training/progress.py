"""Progress on a terminal, shown by the first of several processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

from torch_zoo.utils.training import processes

Item = TypeVar("Item")


def progress(items: Iterable[Item], description: str, total: int, unit: str) -> tqdm[Item]:
    return tqdm(items, description, total, unit=unit, leave=False, disable=True if processes.rank() else None)
