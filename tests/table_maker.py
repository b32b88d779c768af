"""Tables of made-up features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.types import Features, Predictions, Source

FLOATS = {"vggish": np.dtype((np.float32, 4))}
SETTINGS = {"checkpoint": "random, seed 0", "hop_seconds": 0.96}


def source(name: str) -> Source:
    return Source(f"music/{name}.mp3", name)


def features(name: str, rows: int = 2, value: float = 0.0, dtype: type = np.float32, width: int = 4) -> Features:
    times = 0.96 * np.stack([np.arange(rows), np.arange(rows) + 1], axis=1)
    array = (np.arange(rows * width).reshape(rows, width) + value).astype(dtype)
    return Features(
        source(name), {"vggish": array}, times, Predictions({"audio": array}, [f"class {n}" for n in range(width)])
    )


def prepared(folder: Path) -> SaveTable:
    """With the settings, and nothing begun."""
    sink = SaveTable(folder=str(folder))
    sink.prepare(SETTINGS, [], FLOATS, overwrite=False)()
    sink.finish()
    return sink


def written(folder: Path, *all_features: Features) -> SaveTable:
    sink = SaveTable(folder=str(folder))
    for each in all_features:
        sink.write(each)
    sink.finish()
    return sink


def rows_by_name(folder: Path) -> dict[str, np.ndarray]:
    frame = pd.read_parquet(folder / "embeddings.parquet")
    return {str(name): np.stack(list(rows["embedding"])) for name, rows in frame.groupby("name")}


def journals(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))
