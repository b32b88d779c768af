"""What a network predicted for each clip, from the files of an extraction or of the published test.py."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from torch_zoo.models.vggsound.extractor import LOGITS
from torch_zoo.utils import storage
from torch_zoo.utils.predictions import softmax
from torch_zoo.utils.types import UsageError
from torch_zoo.utils.urls import without_secrets

if TYPE_CHECKING:
    import pyarrow as pa

FILES = {f"_{LOGITS}.npy": True, ".mp4.npy": False, ".npy": False}  # of a clip: suffix -> are these logits?
TABLES = (".parquet", ".csv")
OUR_TABLE = re.compile(r"(embeddings|predictions)(-[^/]+)?\.(parquet|csv)")
READERS, AHEAD = 16, 256  # files read at a time, for storage that takes long to answer, and asked for


class Prediction(NamedTuple):
    clip: str  # its name, without .mp4
    values: np.ndarray  # (T, classes), or (classes,)
    logits: bool  # else probabilities
    file: str  # for messages
    rows: Sequence[int]  # of the file, from 1


def read_predictions(path: str, clips: Collection[str], classes: Sequence[str]) -> Iterator[Prediction]:
    """Of these clips, as far as they are there: from a table, or from a folder of files of clips, or else of tables.

    Raises UsageError.
    """
    if path.lower().endswith(TABLES):
        yield from _of_table(path, clips, classes)
        return
    try:
        names = storage.listing(path).keys()
    except OSError as error:
        raise UsageError(f"{without_secrets(path)}: {storage.reason(error)}") from error
    if not names:
        raise UsageError(f"{without_secrets(path)}: no such folder, or nothing in it")
    files = [(clip, suffix) for clip in clips for suffix in FILES if clip + suffix in names]
    if files:
        with ThreadPoolExecutor(READERS) as readers:
            for first in range(0, len(files), AHEAD):  # of which some are read in vain where one is bad
                yield from readers.map(lambda file: _of_file(path, *file), files[first : first + AHEAD])
    else:
        for name in sorted(filter(OUR_TABLE.fullmatch, names)):
            yield from _of_table(storage.join(path, name), clips, classes)


def probabilities(prediction: Prediction, classes: Sequence[str]) -> np.ndarray:
    """(classes,) float64: of several rows the mean. Raises UsageError, which names file and row."""
    values, file = np.atleast_2d(prediction.values), prediction.file
    if values.dtype.kind not in "fiu" or values.ndim != 2 or values.shape[1] != len(classes):
        raise UsageError(
            f"{file}: {prediction.values.dtype} of shape {prediction.values.shape} instead of one number for each of "
            f"{len(classes)} classes; --labels names them"
        )
    values = values.astype(np.float64)
    bad = ~np.isfinite(values) if prediction.logits else ~((values >= 0) & (values <= 1 + 1e-6))
    for row, column in np.argwhere(bad):
        where = f"{file}, row {prediction.rows[row]}: {classes[column]!r} has {values[row, column]:g}"
        if np.isfinite(values[row, column]):
            raise UsageError(f"{where}, which is no probability; logits belong in a file <clip>_{LOGITS}.npy")
        raise UsageError(f"{where}; predict this clip again")
    mean: np.ndarray = (softmax(values) if prediction.logits else values).mean(axis=0)
    return mean


def _of_file(folder: str, clip: str, suffix: str) -> Prediction:
    path = storage.join(folder, clip + suffix)
    shown = without_secrets(path)
    try:
        with storage.open_read(path) as file:
            values: np.ndarray = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        wrong = storage.reason(error) if isinstance(error, OSError) else str(error).splitlines()[0]
        raise UsageError(f"{shown}: not a readable NumPy file ({wrong}); predict this clip again") from error
    return Prediction(clip, values, FILES[suffix], shown, range(1, 1 + len(np.atleast_2d(values))))


def _of_table(path: str, clips: Collection[str], classes: Sequence[str]) -> Iterator[Prediction]:
    table, shown = _table(path, classes), without_secrets(path)
    logits = LOGITS in table.column_names
    values = _lists(shown, table) if logits else _columns(shown, table, classes)
    names = np.array([str(name).removesuffix(".mp4") for name in table["name"].to_pylist()])
    order = np.argsort(names, kind="stable")
    unique, starts = np.unique(names[order], return_index=True)
    for name, rows in zip(unique.tolist(), np.split(order, starts[1:]), strict=True):
        if name in clips:
            yield Prediction(name, values[rows], logits, shown, (rows + 1).tolist())


def _table(path: str, classes: Sequence[str]) -> pa.Table:
    """The columns that matter."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    shown = without_secrets(path)
    try:
        with storage.open_read(path) as file:
            if path.lower().endswith(".csv"):
                table = pa.csv.read_csv(file)
                return table.select(_wanted(shown, table.column_names, classes))
            parquet = pq.ParquetFile(file)
            return parquet.read(_wanted(shown, parquet.schema_arrow.names, classes))
    except (pa.ArrowException, OSError) as error:
        wrong = storage.reason(error) if isinstance(error, OSError) else str(error).splitlines()[0]
        raise UsageError(f"{shown}: not a readable table ({wrong})") from error


def _wanted(file: str, columns: Sequence[str], classes: Sequence[str]) -> list[str]:
    """`name` and the column of logits or, without that, one per class. Raises UsageError if they are not there."""
    if "name" not in columns:
        raise UsageError(f"{file}: no column `name` of clips; its columns are {', '.join(columns[:5])}, …")
    if LOGITS in columns:
        return ["name", LOGITS]
    if missing := [name for name in classes if name not in columns]:
        raise UsageError(
            f"{file}: no column {LOGITS}, and {len(missing)} of {len(classes)} classes have none ({missing[0]!r}, …); "
            "predictions must hold every class (save_predictions with top_k=null)"
        )
    return ["name", *classes]


def _lists(file: str, table: pa.Table) -> np.ndarray:
    """(rows, d) of the column of logits, which are lists."""
    lists = table[LOGITS].combine_chunks()
    try:
        flat: np.ndarray = lists.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(lists), -1)
    except (AttributeError, ValueError) as error:
        raise UsageError(f"{file}: column {LOGITS} does not hold one number per class in each row") from error


def _columns(file: str, table: pa.Table, classes: Sequence[str]) -> np.ndarray:
    """(rows, classes) of a table with one column per class."""
    import pyarrow as pa

    for name in classes:
        if not pa.types.is_floating(table[name].type) and not pa.types.is_integer(table[name].type):
            raise UsageError(f"{file}: column {name!r} holds {table[name].type} instead of numbers")
    return np.stack([table[name].to_numpy() for name in classes], axis=1)
