"""`run.log`: what the log of a run shows, with timestamps."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO, cast

from torch_zoo.utils import storage


class RunLog:
    """A local file grows with each line; an object, which can't, is put again by `save`. Everything raises OSError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: BinaryIO
        if storage.is_url(path):
            self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - until the run ends
        else:
            file = Path(storage.local(path))
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = file.open("ab", buffering=0)
        self._size = 0

    def write(self, lines: str) -> None:
        self._file.write(lines.encode(errors="backslashreplace"))

    def save(self) -> None:
        if storage.is_url(self._path) and (size := self._file.seek(0, os.SEEK_END)) > self._size:
            self._file.seek(0)
            with storage.atomic_write(self._path) as file:
                shutil.copyfileobj(self._file, file)
            self._size = size

    def close(self) -> None:
        self.save()
        self._file.close()


def stamped(text: str) -> str:
    """The lines of a message, each with the time."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return "".join(f"{now} {line}\n" for line in text.splitlines())
