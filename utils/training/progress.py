"""What the first of several processes shows of their training, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from torch_zoo.utils.terminal import loops
from torch_zoo.utils.training import processes

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], description: str, total: int | None, unit: str, note: Callable[[], str] = str
) -> Iterator[Item]:
    """As `loops.progress`."""
    return loops.progress(items, description, total, unit, note, shown=processes.rank() == 0)


def say(text: str) -> None:
    if processes.rank() == 0:
        print(text, file=sys.stderr, flush=True)
