"""VGGish for Python: `from models.vggish import VGGish, embed`. Imports torch only when VGGish is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.vggish.embedding import embed

if TYPE_CHECKING:
    from models.vggish.network import VGGish

__all__ = ["VGGish", "embed"]


def __getattr__(name: str) -> Any:
    if name != "VGGish":
        raise AttributeError(name)
    from models.vggish.network import VGGish

    return VGGish
