"""Progress of one loop on stderr: a bar on a terminal, else lines, fewer of them the longer it takes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

FIRST_SECONDS, NEXT_SECONDS = 1.0, 2.0  # until the first line, and at least between two
SHARE = 0.1  # of the time so far passes between two lines, if that is longer
NOTE_SECONDS = 0.5  # between two notes of a bar


def progress(
    items: Iterable[Item],
    description: str,
    total: int | None,
    unit: str,
    note: Callable[[], str] = str,
    shown: bool = True,
) -> Iterator[Item]:
    """The items, of which there are `total` (None = unknown); an item counts once the next one is asked for.

    `note` is asked for something to add whenever progress is shown, so it may be slow. Nothing is left of a bar.
    """
    if not shown:
        yield from items
    elif sys.stderr.isatty():
        yield from _bar(items, description, total, unit, note)
    else:
        yield from _lines(items, description, total, unit, note)


def _bar(
    items: Iterable[Item], description: str, total: int | None, unit: str, note: Callable[[], str]
) -> Iterator[Item]:
    due = time.monotonic() + NOTE_SECONDS
    with tqdm(desc=description, total=total, unit=unit, leave=False, dynamic_ncols=True) as bar:
        for item in items:
            yield item
            if time.monotonic() >= due:
                bar.set_postfix_str(note(), refresh=False)
                due = time.monotonic() + NOTE_SECONDS
            bar.update()


def _lines(
    items: Iterable[Item], description: str, total: int | None, unit: str, note: Callable[[], str]
) -> Iterator[Item]:
    started = time.monotonic()
    due = started + FIRST_SECONDS
    for number, item in enumerate(items, 1):
        yield item
        if (now := time.monotonic()) >= due and number != total:
            count = f"{number:,} of {total:,}" if total else f"{number:,}"
            left = f"{tqdm.format_interval((now - started) / number * (total - number))} left" if total else ""
            done = f"{description}: {count} {unit}{'es' if unit.endswith('ch') else 's'}"
            print(", ".join(filter(None, (done, left, note()))), file=sys.stderr, flush=True)
            due = now + max(NEXT_SECONDS, SHARE * (now - started))
