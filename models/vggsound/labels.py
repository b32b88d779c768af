"""Names of classes: the index of a class is its place in the sorted list."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from torch_zoo.utils import storage
from torch_zoo.utils.downloads import PublishedFile
from torch_zoo.utils.types import UsageError
from torch_zoo.utils.urls import without_secrets

CLASSES = 309  # of VGGSound
LABELS = PublishedFile(  # class, number of clips, group
    url="https://raw.githubusercontent.com/hche11/VGGSound/master/data/stat.csv",
    sha256="981445307f3b9ebc2b0e65641daaac1359496b7a8f17208348e7fc8e2696b6d5",
    license="CC BY 4.0 (VGGSound)",
    name="vggsound_stat.csv",
)


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Class names of a file, in the order of their code points, which is that of the logits.

    Of a `.txt` each line is a name; of any other file, a CSV without header such as VGGSound's stat.csv, the first
    column is. Raises UsageError, which names file and row.
    """
    rows: dict[str, int] = {}
    shown = without_secrets(str(path))
    try:
        for row, name in _rows(str(path)):
            if not name or not name.isprintable():
                raise UsageError(f"{shown}, row {row}: {name!r} is not a class name in UTF-8")
            if name in rows:
                raise UsageError(f"{shown}, row {row}: {name} is already in row {rows[name]}; list each class once")
            rows[name] = row
    except OSError as error:
        raise UsageError(f"{shown}: {storage.reason(error)}; give a list of class names") from error
    if not rows:
        raise UsageError(f"{shown}: lists no class; one name per row")
    return tuple(sorted(rows))


def _rows(path: str) -> Iterator[tuple[int, str]]:
    """Number and first cell of each row that is not blank."""
    with storage.open_text(path, newline="") as file:
        if path.lower().endswith(".txt"):
            yield from ((number, line.strip()) for number, line in enumerate(file, 1) if line.strip())
            return
        reader = csv.reader(file, strict=True)
        try:
            yield from ((reader.line_num, row[0].strip()) for row in reader if any(map(str.strip, row)))
        except csv.Error as error:
            raise UsageError(f"{without_secrets(path)}, row {reader.line_num}: not CSV ({error})") from error
