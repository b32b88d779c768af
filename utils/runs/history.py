"""The records of earlier runs on a folder."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch_zoo.utils import storage
from torch_zoo.utils.runs.recording import FOLDER, JSON

REQUESTS = 16  # at a time

Run = dict[str, Any]  # the content of a run.json


def runs(folder: str) -> list[Run]:
    """Of a folder of features, oldest first; what can't be read is left out. Raises OSError."""
    place = storage.join(folder, FOLDER)
    names = sorted(name for name in storage.listing(place) if name.endswith(f"/{JSON}"))
    with ThreadPoolExecutor(REQUESTS) as pool:
        found = list(pool.map(lambda name: _read(storage.join(place, name)), names))
    return [run for run in found if run]


def _read(path: str) -> Run | None:
    try:
        with storage.open_read(path) as file:
            content = json.load(file)
    except (ValueError, FileNotFoundError):
        return None
    return content if isinstance(content, dict) and "sources" in content else None
