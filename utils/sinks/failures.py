"""`failures.csv`, beside the features: what failed, now or before and not tried since, as a list of sources."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.lists.tables import COLUMNS
from torch_zoo.utils.naming import without_secrets
from torch_zoo.utils.types import Outcome

log = logging.getLogger(__name__)

FILE_NAME = "failures.csv"
UNDECODABLE = "surrogateescape"  # file names may hold any bytes


def update(folder: Path, tried: Collection[str], failed: Sequence[Outcome]) -> Path:
    """List `failed` in place of the sources named in `tried`; returns the file, which is deleted where none is left.

    Raises OSError, also if the folder has been deleted.
    """
    file = folder / FILE_NAME
    rows = [row for row in _read(file) if row["name"] not in tried]
    rows += [_row(outcome) for outcome in failed]
    if not rows:
        file.unlink(missing_ok=True)
        return file
    os.stat(folder)
    columns = dict.fromkeys([*COLUMNS, *(column for row in rows for column in row if column)])
    with atomic_write(file) as partial, partial.open("w", newline="", encoding="utf-8", errors=UNDECODABLE) as handle:
        table = csv.DictWriter(handle, columns, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    return file


def _read(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    try:
        with file.open(newline="", encoding="utf-8", errors=UNDECODABLE) as handle:
            rows = list(csv.DictReader(handle, strict=True))
    except csv.Error as error:
        aside = file.replace(file.with_name(f"{FILE_NAME}.damaged"))
        log.warning("%s: not a list of failures (%s), and set aside", aside, error)
        return []
    return [row for row in rows if set(row) >= set(COLUMNS)]


def _row(outcome: Outcome) -> dict[str, str]:
    source = outcome.source
    end = "" if source.end is None else str(source.end)
    own = (without_secrets(source.path), str(source.start), end, source.name, outcome.message)
    return {**dict(zip(COLUMNS, own, strict=True)), **source.columns}
