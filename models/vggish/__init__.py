"""VGGish's Python API: `from torch_zoo.models.vggish import VGGish, embed`. Both are imported lazily."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch_zoo.models.vggish.embedding import embed
    from torch_zoo.models.vggish.network import VGGish

__all__ = ["VGGish", "embed"]

_HOMES = {"VGGish": "torch_zoo.models.vggish.network", "embed": "torch_zoo.models.vggish.embedding"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
