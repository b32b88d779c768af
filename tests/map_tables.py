"""Tables of made-up features for maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.types import Features, Source

SETTINGS = {"checkpoint": "random, seed 0"}


def table(
    folder: Path,
    vectors: np.ndarray,
    names: Sequence[str] = "ab",
    *,
    second: bool = False,
    listed: Mapping[str, Mapping[str, str]] | None = None,  # by source
    settings: Mapping[str, object] = SETTINGS,
    rows_per_file: int | None = None,
    path: str = "{}.mp3",
) -> Path:
    """The same vectors for each source."""
    sources = [Source(path.format(name), name, columns=(listed or {}).get(name, {})) for name in names]
    arrays = {"rgb": vectors, "flow": vectors[:, ::-1]} if second else {"vggish": vectors}
    sink = SaveTable(folder=str(folder), rows_per_file=rows_per_file)
    kinds = {key: np.dtype((array.dtype, array.shape[1:])) for key, array in arrays.items()}
    sink.prepare(settings, sources, kinds, overwrite=False)()
    times = np.stack([np.arange(len(vectors)), np.arange(len(vectors)) + 1.0], axis=1)
    for source in sources:
        sink.write(Features(source, arrays, times))
    sink.finish()
    return folder / "embeddings.parquet"
