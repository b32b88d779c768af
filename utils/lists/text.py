"""The text of a list: opened, decoded, and its rows with their line numbers."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from torch_zoo.utils.types import UsageError


def read_lines(path: str) -> Iterator[tuple[int, str]]:
    """Line number and text of each line that is neither blank nor a # comment. Raises UsageError."""
    with open_list(path, newline="\n") as file:
        for number, line in enumerate(file, 1):
            _check_text(path, number, line)
            if (entry := line.strip(" \t\r\n")) and not entry.startswith("#"):
                yield number, entry


def read_rows(path: str, delimiter: str = ",", *, comments: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Number of the last line and fields, without blanks around them, of each row that is not empty.

    `comments` leaves out lines that begin with #. Raises UsageError.
    """
    with open_list(path, newline="") as file:
        lines = ("\n" if comments and line.startswith("#") else line for line in file)
        rows = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=comments)
        line = 1
        try:
            for fields in rows:
                _check_text(path, line, *fields)
                if fields:
                    yield rows.line_num, [field.strip(" \t") for field in fields]
                line = rows.line_num + 1
        except csv.Error as error:
            raise UsageError(
                f"{path}, line {line}: {error}; close every quotation mark, and double it within a quoted field"
            ) from error


def fields_of(path: str, line: int, fields: list[str], *names: str) -> list[str]:
    """The fields, which are as many as the names, none of them empty. Raises UsageError."""
    if len(fields) != len(names) or not all(fields):
        found = f"{len(fields)} fields" if len(fields) != len(names) else "an empty field"
        raise UsageError(f"{path}, line {line}: {found}; a row is {','.join(names)}, with quotes around commas")
    return fields


@contextmanager
def open_list(path: str, newline: str) -> Iterator[TextIO]:
    """A regular file, UTF-8 with whatever else file names hold. Raises UsageError."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UsageError(f"file_with_video_paths={path}: not a regular file; give a text file, .csv, .tsv or .json")
        file = open(path, encoding="utf-8-sig", errors="surrogateescape", newline=newline)  # noqa: SIM115
    except OSError as error:
        raise UsageError(f"file_with_video_paths={path}: {error.strerror}") from error
    with file:
        yield file


def _check_text(path: str, line: int, *texts: str) -> None:
    if any("\0" in text for text in texts):
        raise UsageError(f"file_with_video_paths={path}, line {line}: not a text file of paths (it has a NUL byte)")
