"""What a Python caller gets of one source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from torch_zoo.utils import naming
from torch_zoo.utils.types import MediaError, Predictions, Source


@dataclass(frozen=True, slots=True, eq=False)
class Extracted(Mapping[str, np.ndarray]):
    """What one source became: a mapping of its arrays, those that the command line saves.

    Where the source could not be read, `error` says why, and looking up an array raises it.
    """

    source: Source
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)  # key -> (T, D)
    times: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))  # (T, 2), start and end of each row, s
    predictions: Predictions | None = None  # of show_pred=True
    message: str = ""  # what a person should know of it, e.g. why there are no rows
    error: MediaError | None = None

    @property
    def fps(self) -> float | None:
        """Frames per second of the video, where the extractor looks at its frames."""
        return float(self.arrays["fps"]) if "fps" in self.arrays else None

    def __getitem__(self, key: str) -> np.ndarray:
        if self.error:
            raise self.error
        return self.arrays[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __contains__(self, key: object) -> bool:
        return key in self.arrays

    def __repr__(self) -> str:
        shapes = ", ".join(f"{key} {array.shape}" for key, array in self.arrays.items())
        return f"<{naming.label(self.source)}: {self.error or shapes}>"
