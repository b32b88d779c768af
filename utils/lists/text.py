"""The text of a list: opened, decoded, and its rows with their line numbers."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from torch_zoo.utils import storage
from torch_zoo.utils.types import UsageError
from torch_zoo.utils.urls import is_url, local, without_secrets

BEGINNING = 4096  # characters


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
                f"{in_line(path, line)}: {error}; close every quotation mark, and double it within a quoted field"
            ) from error


def in_line(path: str, line: int) -> str:
    """How messages call a line of a list."""
    return f"{without_secrets(path)}, line {line}"


def fields_of(where: str, fields: list[str], *names: str) -> list[str]:
    """The fields, as many as there are names. Raises UsageError, also if one is empty."""
    if len(fields) == len(names) and all(fields):
        return fields
    found = "an empty field" if len(fields) == len(names) else f"{len(fields)} fields"
    raise UsageError(f"{where}: {found}; a row is {','.join(names)}, with quotes around a field that holds commas")


def beginning(path: str) -> str:
    """The first characters, which tell the format. Raises UsageError, also for media and what is no text either."""
    with open_list(path) as file:
        text = file.read(BEGINNING)
    for number, line in enumerate(text.split("\n"), 1):
        _check_text(path, number, line)
    return text


@contextmanager
def open_list(path: str, newline: str | None = None) -> Iterator[TextIO]:
    """A local file or a URL, as UTF-8 with whatever else file names hold. Raises UsageError."""
    try:
        if not is_url(path) and not stat.S_ISREG(os.stat(local(path)).st_mode):
            raise UsageError(f"{path}: not a regular file; give a text file, .csv, .tsv or .json")
        with storage.open_text(path, newline) as file:
            yield file
    except OSError as error:
        raise UsageError(f"{without_secrets(path)}: {storage.reason(error)}") from error


def _check_text(path: str, line: int, *texts: str) -> None:
    if any("\0" in text for text in texts):
        raise UsageError(f"{in_line(path, line)}: not a text file (it has a NUL byte)")
