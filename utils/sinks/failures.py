"""`failures.csv`, beside the features: what failed, now or before and not tried since, as a list of sources."""

from __future__ import annotations

import csv
import errno
import io
import logging
import os
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from torch_zoo.utils import storage
from torch_zoo.utils.lists.tables import COLUMNS
from torch_zoo.utils.sinks import record
from torch_zoo.utils.types import Outcome, UsageError
from torch_zoo.utils.urls import is_url, local, without_secrets

log = logging.getLogger(__name__)

FILE_NAME = "failures.csv"
REQUIRED = {"path", "name", "error"}  # columns
UNDECODABLE = "surrogateescape"  # file names may hold any bytes


class Failure(NamedTuple):
    """Why a source failed; `attempt` as in Outcome."""

    message: str
    attempt: str


def path_in(folder: str) -> str:
    """Of the list, where there is one."""
    return storage.join(folder, FILE_NAME)


def update(folder: str, tried: Collection[str], failed: Sequence[Outcome]) -> str:
    """List `failed` in place of the sources named in `tried`; returns the file, which is deleted where none is left.

    Raises OSError, also if the folder has been deleted.
    """
    with _locked(folder):
        return _update(folder, tried, failed)


def listed(folder: str) -> dict[str, Failure]:
    """The failures that the list has, by the names of their sources. Raises UsageError."""
    file = path_in(folder)
    try:
        return {row["name"]: Failure(row["error"], row.get("tried_with") or "") for row in _read(file)}
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({storage.reason(error)})") from error


def _update(folder: str, tried: Collection[str], failed: Sequence[Outcome]) -> str:
    file = path_in(folder)
    rows = [row for row in _read(file) if row["name"] not in tried]
    rows += [_row(outcome) for outcome in failed]
    if not rows:
        storage.remove(file)
        return file
    if not storage.exists(folder):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
    columns = dict.fromkeys([*COLUMNS, *(column for row in rows for column in row if column)])
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, extrasaction="ignore")
    table.writeheader()
    table.writerows(rows)
    _write(file, text.getvalue().encode(errors=UNDECODABLE))
    return file


def _locked(folder: str) -> AbstractContextManager[object]:
    """Shards that end at the same time wait for each other; behind a URL, the list of the last one stays."""
    shared = not is_url(folder) and Path(local(folder), record.FILE_NAME).exists()
    return record.locked(Path(local(folder))) if shared else nullcontext()


def _read(file: str) -> list[dict[str, str]]:
    try:
        with storage.open_text(file, newline="") as text:
            reader = csv.DictReader(text, strict=True)
            if missing := REQUIRED - set(reader.fieldnames or REQUIRED):
                raise csv.Error(f"it has no column {min(missing)}")
            return list(reader)
    except FileNotFoundError:
        return []
    except csv.Error as error:
        aside = f"{file}.damaged"
        with storage.open_read(file) as content:
            _write(aside, content.read())
        log.warning("%s: not a list of failures (%s), and set aside", aside, error)
        return []


def _write(file: str, content: bytes) -> None:
    with storage.atomic_write(file) as writing:
        writing.write(content)


def _row(outcome: Outcome) -> dict[str, str]:
    source = outcome.source
    end = "" if source.end is None else str(source.end)
    own = (without_secrets(source.path), str(source.start), end, source.name, outcome.message, outcome.attempt)
    return {**dict(zip(COLUMNS, own, strict=True)), **source.columns}
