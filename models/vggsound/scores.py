"""What a network predicted for each clip, from the files of an extraction or of the published test.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.predictions import softmax
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

LOGITS = "vggsound_logits"
FILES = {f"_{LOGITS}.npy": True, ".mp4.npy": False, ".npy": False}  # of a clip: suffix -> are these logits?
TABLES = (".parquet", ".csv")
READERS = 16  # files at a time; for storage that takes long to answer


class Prediction(NamedTuple):
    clip: str  # its name, without .mp4
    values: np.ndarray  # (T, classes), or (classes,)
    logits: bool  # else probabilities
    file: str
    rows: Sequence[int]  # of the file, from 1


def read_predictions(path: str, clips: Collection[str], classes: Sequence[str]) -> Iterator[Prediction]:
    """Of these clips, as far as they are there: from a table, or from a folder with one file per clip.

    Raises UsageError.
    """
    return _of_table(path, clips, classes) if path.lower().endswith(TABLES) else _of_folder(path, clips)


def probabilities(prediction: Prediction, classes: int) -> np.ndarray:
    """(classes,) float64: of several rows the mean. Raises UsageError, which names file and row."""
    values, file = np.atleast_2d(prediction.values), prediction.file
    if values.dtype.kind not in "fiu" or values.ndim != 2 or values.shape[1] != classes:
        raise UsageError(
            f"{file}: {prediction.values.dtype} of shape {prediction.values.shape} instead of one number for each of "
            f"{classes} classes; --classes names them"
        )
    values = values.astype(np.float64)
    bad = ~np.isfinite(values) if prediction.logits else ~((values >= 0) & (values <= 1 + 1e-6))
    for row, column in np.argwhere(bad):
        where = f"{file}, row {prediction.rows[row]}: class {column} has {values[row, column]:g}"
        if np.isfinite(values[row, column]):
            raise UsageError(f"{where}, which is no probability; logits belong in a file <clip>_{LOGITS}.npy")
        raise UsageError(f"{where}; predict this clip again")
    mean: np.ndarray = (softmax(values) if prediction.logits else values).mean(axis=0)
    return mean


def _of_folder(folder: str, clips: Collection[str]) -> Iterator[Prediction]:
    try:
        names = storage.listing(folder).keys()
    except OSError as error:
        raise UsageError(f"{folder}: {storage.reason(error)}") from error
    if not names:
        raise UsageError(f"{folder}: no such folder, or nothing in it")
    with ThreadPoolExecutor(READERS) as readers:
        files = (
            (clip, [(storage.join(folder, clip + suffix), FILES[suffix]) for suffix in FILES if clip + suffix in names])
            for clip in clips
        )
        yield from readers.map(lambda each: _of_file(*each), [(clip, found) for clip, found in files if found])


def _of_file(clip: str, found: Sequence[tuple[str, bool]]) -> Prediction:
    (path, logits), *others = found
    if others:
        raise UsageError(f"{path} and {others[0][0]} are predictions of one clip; move one of them away")
    try:
        with storage.open_read(path) as file:
            values: np.ndarray = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        wrong = storage.reason(error) if isinstance(error, OSError) else str(error).splitlines()[0]
        raise UsageError(f"{path}: not a readable NumPy file ({wrong}); predict this clip again") from error
    return Prediction(clip, values, logits, path, range(1, 1 + len(np.atleast_2d(values))))


def _of_table(path: str, clips: Collection[str], classes: Sequence[str]) -> Iterator[Prediction]:
    table = _table(path)
    if "name" not in table.column_names:
        raise UsageError(f"{path}: no column `name` of clips; its columns are {', '.join(table.column_names[:5])}, …")
    logits = next((name for name in (LOGITS, "embedding") if name in table.column_names), "")
    values = _lists(path, table, logits) if logits else _columns(path, table, classes)
    names = np.array([str(name).removesuffix(".mp4") for name in table["name"].to_pylist()])
    order = np.argsort(names, kind="stable")
    unique, starts = np.unique(names[order], return_index=True)
    for name, rows in zip(unique.tolist(), np.split(order, starts[1:]), strict=True):
        if name in clips:
            yield Prediction(name, values[rows], bool(logits), path, (rows + 1).tolist())


def _table(path: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    try:
        with storage.open_read(path) as file:
            return pq.read_table(file) if path.lower().endswith(".parquet") else pa.csv.read_csv(file)
    except (pa.ArrowException, OSError) as error:
        wrong = storage.reason(error) if isinstance(error, OSError) else str(error).splitlines()[0]
        raise UsageError(f"{path}: not a readable table ({wrong})") from error


def _lists(path: str, table: pa.Table, column: str) -> np.ndarray:
    """(rows, d) of a column of lists."""
    lists = table[column].combine_chunks()
    try:
        flat: np.ndarray = lists.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(lists), -1)
    except (AttributeError, ValueError) as error:
        raise UsageError(f"{path}: column {column} does not hold one number per class in each row") from error


def _columns(path: str, table: pa.Table, classes: Sequence[str]) -> np.ndarray:
    """(rows, classes) of a table with one column per class."""
    import pyarrow as pa

    if missing := [name for name in classes if name not in table.column_names]:
        raise UsageError(
            f"{path}: no column {LOGITS}, and none of {len(missing)} of {len(classes)} classes ({missing[0]!r}, …); "
            "predictions must hold every class"
        )
    for name in classes:
        if not pa.types.is_floating(table[name].type) and not pa.types.is_integer(table[name].type):
            raise UsageError(f"{path}: column {name!r} holds {table[name].type} instead of numbers")
    return np.stack([table[name].to_numpy() for name in classes], axis=1)
