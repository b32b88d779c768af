"""Lists of media: text files with one path per line, and tables with the header path[,start,end,name]."""

from __future__ import annotations

import csv
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from torch_zoo.utils import naming
from torch_zoo.utils.types import Source, UsageError

COLUMNS = ("path", "start", "end", "name", "error")  # of a list, and of one of failures; others go to the sink
DELIMITERS = {".csv": ",", ".tsv": "\t"}  # by suffix; other files are text
LONGEST_SECONDS = 1e9  # of a timestamp: 32 years


def is_table(path: str) -> bool:
    return Path(path).suffix.lower() in DELIMITERS


def read_paths(path: str) -> Iterator[tuple[int, str]]:
    """Line number and path for each line of a text file that is neither blank nor a # comment. Raises UsageError."""
    with _open(path, newline="\n") as file:
        for number, line in enumerate(file, 1):
            _check_text(path, number, line)
            if (entry := line.strip(" \t\r\n")) and not entry.startswith("#"):
                yield number, entry


def read_table(path: str) -> Iterator[tuple[int, Source]]:
    """Line number and source for each row of a .csv or .tsv. Raises UsageError."""
    with _open(path, newline="") as file:
        table = csv.DictReader(file, delimiter=DELIMITERS[Path(path).suffix.lower()], strict=True)
        for row in _rows(table, path):
            yield table.line_num, _source(row, f"{path}, line {table.line_num}")


def _rows(table: csv.DictReader[str], path: str) -> Iterator[dict[str, str | None]]:
    line = 1
    try:
        if "path" not in (table.fieldnames or ()):
            raise UsageError(f"{path}: the first line must name the columns: path[,start,end,name]")
        line = table.line_num + 1
        for row in table:
            _check_text(path, line, row.get("path") or "", row.get("name") or "")
            yield row
            line = table.line_num + 1
    except csv.Error as error:
        raise UsageError(
            f"{path}, line {line}: {error}; close every quotation mark, and double it within a quoted field"
        ) from error


def _source(row: dict[str, str | None], where: str) -> Source:
    file = (row["path"] or "").strip(" \t")
    if not file:
        raise UsageError(f"{where}: no path")
    start, end = _seconds(row.get("start"), where) or 0.0, _seconds(row.get("end"), where)
    if start < 0:
        raise UsageError(f"{where}: the segment starts before 0, at {start:g} s")
    if end is not None and end <= start:
        raise UsageError(f"{where}: the segment from {start:g} s to {end:g} s is empty")
    name = (row.get("name") or "").strip()
    if os.path.basename(name) != name:
        raise UsageError(f"{where}: name={name} must not contain a folder")
    columns = {column: text.strip() for column, text in row.items() if column and column not in COLUMNS and text}
    return Source(file, name or naming.stem(file) + naming.span(start, end), start, end, columns)


def _seconds(text: str | None, where: str) -> float | None:
    if text is None or not text.strip():
        return None
    with suppress(ValueError):
        if math.isfinite(seconds := float(text)):
            if abs(seconds) > LONGEST_SECONDS:
                raise UsageError(f"{where}: {text.strip()} s is longer than any recording")
            return seconds
    raise UsageError(f"{where}: {text.strip()!r} is not a number of seconds")


def _check_text(path: str, line: int, *texts: str) -> None:
    if any("\0" in text for text in texts):
        raise UsageError(f"file_with_video_paths={path}, line {line}: not a text file of paths (it has a NUL byte)")


@contextmanager
def _open(path: str, newline: str) -> Iterator[TextIO]:
    """A regular file, UTF-8 with whatever else file names hold."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UsageError(f"file_with_video_paths={path}: not a regular file; give a text file, .csv or .tsv")
        file = open(path, encoding="utf-8-sig", errors="surrogateescape", newline=newline)  # noqa: SIM115
    except OSError as error:
        raise UsageError(f"file_with_video_paths={path}: {error.strerror}") from error
    with file:
        yield file
