"""Features of videos and sounds, as arrays: `from torch_zoo import extract`.

In a checkout the subpackages are the folders at its top level (`torch_zoo.utils` is `utils/`); a wheel has them below
this file. Public names are imported when they are first used, so that none costs the import of torch.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch_zoo.models.vggish.embedding import embed
    from torch_zoo.utils.extracted import Extracted
    from torch_zoo.utils.extraction import Extractor, extract
    from torch_zoo.utils.types import (
        Features,
        MediaError,
        OutputConflictError,
        Sink,
        Source,
        TorchZooError,
        UsageError,
        Windows,
        WorkerError,
    )

__all__ = [
    "Extracted",
    "Extractor",
    "Features",
    "MediaError",
    "OutputConflictError",
    "Sink",
    "Source",
    "TorchZooError",
    "UsageError",
    "Windows",
    "WorkerError",
    "embed",
    "extract",
]
__version__ = "0.1.0"

_HOMES = {
    "embed": "torch_zoo.models.vggish.embedding",
    "Extracted": "torch_zoo.utils.extracted",
    **dict.fromkeys(("Extractor", "extract"), "torch_zoo.utils.extraction"),
}
_CHECKOUT = Path(__file__).resolve().parents[1]
if (_CHECKOUT / "utils" / "types.py").is_file():
    __path__.append(str(_CHECKOUT))


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "torch_zoo.utils.types")), name)
