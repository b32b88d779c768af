"""Tables of media: .csv and .tsv files with the header path[,start,end,name]."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from torch_zoo.utils import naming
from torch_zoo.utils.lists.text import in_line, read_rows
from torch_zoo.utils.lists.times import segment
from torch_zoo.utils.types import Source, UsageError
from torch_zoo.utils.urls import is_url, split_url, without_secrets

COLUMNS = ("path", "start", "end", "name", "error", "tried_with")  # also of a list of failures; others go to the sink
DELIMITERS = {".csv": ",", ".tsv": "\t"}  # by suffix
MISTAKEN = {  # what other tables call our columns
    "path": ("file", "filename", "file_name", "filepath", "file_path", "video", "video_path", "audio_path"),
    "start": ("begin", "onset", "start_time", "start_seconds", "start_sec", "time_start", "from"),
    "end": ("stop", "offset", "end_time", "end_seconds", "end_sec", "time_end", "to"),
}


def delimiter(path: str) -> str | None:
    """That of a table, by its suffix; None for other files."""
    return DELIMITERS.get(PurePath(split_url(path)[1] if is_url(path) else path).suffix.lower())


def sources(path: str) -> Iterator[tuple[int, Source]]:
    """Line number and source for each row. Raises UsageError, which names file and line."""
    columns: list[str] | None = None
    for line, fields in read_rows(path, delimiter(path) or ","):
        if columns is None:
            columns = _header(path, line, fields)
        elif len(fields) > len(columns):
            raise UsageError(
                f"{in_line(path, line)}: {len(fields)} fields, more than there are columns ({len(columns)}); put "
                "quotes around a field that holds the delimiter"
            )
        else:
            yield line, _source(dict(zip(columns, fields, strict=False)), in_line(path, line))
    if columns is None:
        _header(path, 1, [])


def _header(path: str, line: int, columns: list[str]) -> list[str]:
    for column, others in MISTAKEN.items():
        if column not in columns and (named := next((each for each in columns if _means(each, column, others)), "")):
            raise UsageError(f"{in_line(path, line)}: the column {named} must be called {column}")
    if "path" not in columns:
        raise UsageError(
            f"{without_secrets(path)}: the first line must name the columns: path[,start,end,name]; of "
            "datasets' own lists, those in docs/lists.md are known"
        )
    if repeated := next((column for column in columns if columns.count(column) > 1), ""):
        raise UsageError(f"{in_line(path, line)}: two columns are called {repeated}")
    return columns


def _means(named: str, column: str, others: tuple[str, ...]) -> bool:
    return named.lower() == column or named.lower() in others


def _source(row: Mapping[str, str], where: str) -> Source:
    file = row.get("path", "")
    if not file:
        raise UsageError(f"{where}: no path")
    start, end = segment(row.get("start", ""), row.get("end", ""), where)
    name = row.get("name", "")
    if os.path.basename(name) != name:
        raise UsageError(f"{where}: name={name} must not contain a folder")
    columns = {column: text for column, text in row.items() if column and column not in COLUMNS and text}
    return Source(file, name or naming.stem(file) + naming.span(start, end), start, end, columns)
