"""Names of classes: the index of a class is its place in the sorted list."""

from __future__ import annotations

import csv
from pathlib import Path

from torch_zoo.utils.downloads import PublishedFile
from torch_zoo.utils.types import UsageError

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
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            if str(path).lower().endswith(".txt"):
                listed = enumerate(([line] for line in file), 1)
            else:
                reader = csv.reader(file, strict=True)
                listed = ((reader.line_num, row) for row in reader)
            for number, row in listed:
                if not any(cell.strip() for cell in row):
                    continue
                if not (name := row[0].strip()):
                    raise UsageError(f"{path}, row {number}: the first column, which is the class name, is empty")
                if name in rows:
                    raise UsageError(
                        f"{path}, row {number}: {name} is already in row {rows[name]}; list each class once"
                    )
                rows[name] = number
    except OSError as error:
        raise UsageError(f"labels={path}: {error.strerror}; give a list of class names") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}, row {len(rows) + 1}: not a UTF-8 list of class names ({error})") from error
    if not rows:
        raise UsageError(f"{path}: lists no class; one name per row")
    return tuple(sorted(rows))
