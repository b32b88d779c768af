"""The records of earlier runs on a folder."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch_zoo.utils import storage
from torch_zoo.utils.runs.recording import FOLDER, JSON

REQUESTS = 16  # at a time

Run = dict[str, Any]  # the content of a run.json, and `name`, that of its folder


def runs(folder: str) -> list[Run]:
    """Of a folder of features, oldest first; what can't be read is left out. Raises OSError."""
    place = storage.join(folder, FOLDER)
    names = sorted(name for name in storage.listing(place) if name.endswith(f"/{JSON}"))
    with ThreadPoolExecutor(REQUESTS) as pool:
        found = list(pool.map(lambda name: _read(place, name.removesuffix(f"/{JSON}")), names))
    return [run for run in found if run]


def _read(place: str, name: str) -> Run | None:
    try:
        with storage.open_read(storage.join(place, name, JSON)) as file:
            content = json.load(file)
    except (ValueError, FileNotFoundError):
        return None
    return {**content, "name": name} if isinstance(content, dict) and "sources" in content else None
