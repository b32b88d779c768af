"""Options as they may be written down: without secrets, and short."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch_zoo.utils.urls import without_secrets

MOST_ITEMS = 20  # of a list
SECRET = re.compile(r"token|passw|secret|credential", re.IGNORECASE)


def disclosed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Secrets become `***`; of a long list, as of paths, the first items and the number of the others stay."""
    return {
        str(name): "***" if SECRET.search(str(name)) and value else _shown(value) for name, value in options.items()
    }


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return disclosed(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = [_shown(item) for item in value[:MOST_ITEMS]]
        return shown if len(value) <= MOST_ITEMS else [*shown, f"and {len(value) - MOST_ITEMS} more"]
    if value is None or isinstance(value, bool | int | float):
        return value
    return without_secrets(str(value))
