"""Predictions are read from every layout they are saved in; what is wrong with them is one line that says where."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from torch_zoo.models.vggsound.evaluate import score_matrix
from torch_zoo.models.vggsound.ground_truth import GroundTruth, read_ground_truth
from torch_zoo.utils.sinks.files import SaveNumpy
from torch_zoo.utils.sinks.predictions import SavePredictions, SaveSoftmax
from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.types import Features, Predictions, Sink, Source, UsageError

CLASSES = ("air horn", "bird chirping, tweeting", "cat purring")
CLIPS = tuple(f"glLQrEijrK{letter}_000300" for letter in "ghi")
TRUTH = GroundTruth(CLIPS, np.array([0, 1, 2]))
LOGITS = np.log([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
PROBABILITIES = np.exp(LOGITS)


def scores(predictions: Path, only: Sequence[str] = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    return score_matrix(str(predictions), TRUTH, CLASSES, only)


def saved(folder: Path, suffix: str, rows: np.ndarray) -> Path:
    for clip, row in zip(CLIPS, rows, strict=True):
        np.save(folder / f"{clip}{suffix}", row)
    return folder


@pytest.mark.parametrize("suffix", [".npy", ".mp4.npy"], ids=["ours", "test.py's"])
@pytest.mark.parametrize("rows", [PROBABILITIES, PROBABILITIES[:, None]], ids=["(C,)", "(1, C)"])
def test_probabilities_of_a_folder(suffix: str, rows: np.ndarray, tmp_path: Path) -> None:
    found, number = scores(saved(tmp_path, suffix, rows.astype(np.float32)))
    np.testing.assert_allclose(found, PROBABILITIES, rtol=1e-6)
    assert number.tolist() == [1, 1, 1]


def test_logits_of_a_folder_become_probabilities(tmp_path: Path) -> None:
    saved(tmp_path, "_vggsound.npy", np.ones((3, 1, 512)))  # features, beside them
    found, _ = scores(saved(tmp_path, "_vggsound_logits.npy", LOGITS[:, None] + 7))
    np.testing.assert_allclose(found, PROBABILITIES, rtol=1e-12)


def test_several_rows_of_a_clip_are_averaged_as_probabilities(tmp_path: Path) -> None:
    windows = np.stack([LOGITS, 2 * LOGITS[::-1]], axis=1)
    squares = PROBABILITIES[::-1] ** 2
    found, number = scores(saved(tmp_path, "_vggsound_logits.npy", windows))
    np.testing.assert_allclose(found, (PROBABILITIES + squares / squares.sum(axis=1, keepdims=True)) / 2, rtol=1e-12)
    assert number.tolist() == [2, 2, 2]


TWO_WINDOWS = np.array([[0.0, 10.0], [10.0, 20.0]])


def extracted(sink: Sink) -> None:
    """By the sink of a run: two windows of each clip, in another order."""
    for clip, row in zip(reversed(CLIPS), LOGITS[::-1], strict=True):
        logits = np.stack([row, row]).astype(np.float32)
        arrays = {"vggsound": np.ones((2, 4), np.float32), "vggsound_logits": logits}
        sink.write(Features(Source(f"{clip}.mp4", clip), arrays, TWO_WINDOWS, Predictions({"audio": logits}, CLASSES)))
    sink.finish()


@pytest.mark.parametrize(
    "sink",
    [
        SaveTable,
        partial(SavePredictions, top_k=None),
        partial(SavePredictions, top_k=None, predictions_file="predictions.csv"),
        SaveSoftmax,
        SaveNumpy,
    ],
    ids=["save_table", "save_predictions", "as CSV", "save_softmax", "save_numpy"],
)
def test_what_an_extraction_saves(sink: Callable[..., Sink], tmp_path: Path) -> None:
    extracted(made := sink(folder=str(tmp_path)))
    table = [Path(made.destination)] if made.destination != str(tmp_path) else []
    for path in (tmp_path, *table):
        found, number = scores(path)
        np.testing.assert_allclose(found, PROBABILITIES, rtol=1e-6)
        assert number.tolist() == [2, 2, 2]


def test_predictions_of_the_best_classes_only_are_refused(tmp_path: Path) -> None:
    extracted(SavePredictions(folder=str(tmp_path), top_k=2))
    with pytest.raises(UsageError, match=r"predictions must hold every class \(save_predictions with top_k=null\)"):
        scores(tmp_path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_with_a_column_per_class(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"predictions{suffix}"
    columns = {
        "name": [f"{clip}.mp4" for clip in CLIPS],
        **{name: PROBABILITIES[:, index] for index, name in reversed(list(enumerate(CLASSES)))},
    }
    if suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])
    np.testing.assert_allclose(scores(path)[0], PROBABILITIES, rtol=1e-12)


def test_a_table_in_shards(tmp_path: Path) -> None:
    for number, (clip, row) in enumerate(zip(CLIPS, LOGITS, strict=True)):
        table = pa.table({"name": [clip], "vggsound_logits": pa.array([row.tolist()])})
        pq.write_table(table, tmp_path / f"embeddings-{number:06}.parquet")
    np.testing.assert_allclose(scores(tmp_path)[0], PROBABILITIES, rtol=1e-12)
    shutil.copy(tmp_path / "embeddings-000000.parquet", tmp_path / "embeddings-000003.parquet")
    with pytest.raises(UsageError, match=r"embeddings-000003\.parquet has a second prediction of glLQrEijrKg_000300"):
        scores(tmp_path)


def test_a_subset_of_classes_keeps_their_columns(tmp_path: Path) -> None:
    truth = GroundTruth(CLIPS[:1], np.array([0]))
    found, _ = score_matrix(str(saved(tmp_path, ".npy", PROBABILITIES)), truth, CLASSES, (CLASSES[0], CLASSES[2]))
    np.testing.assert_allclose(found, PROBABILITIES[:1, [0, 2]])


def test_a_clip_without_prediction_has_no_row(tmp_path: Path) -> None:
    saved(tmp_path, ".npy", PROBABILITIES)
    (tmp_path / f"{CLIPS[1]}.npy").unlink()
    np.save(tmp_path / f"{CLIPS[2]}.npy", np.ones((0, 3)))
    assert scores(tmp_path)[1].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.ones((3, 4)), r"g_000300\.npy: float64 of shape \(4,\) instead of one number for each of 3 classes"),
        (np.ones((3, 1, 1, 3)), r"of shape \(1, 1, 3\) instead of"),
        (np.full((3, 3), "a"), r"<U1 of shape \(3,\) instead of"),
        (
            np.array([[[1, 0, 0], [0, np.nan, 1]]] * 3),
            r"g_000300\.npy, row 2: 'bird chirping, tweeting' has nan; predict this clip again",
        ),
        (LOGITS, r"row 1: 'air horn' has -0\.51\d+, which is no probability; logits belong in .*_vggsound_logits\.npy"),
    ],
    ids=["length", "shape", "type", "NaN", "logits"],
)
def test_bad_values_are_reported_with_file_and_row(rows: np.ndarray, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        scores(saved(tmp_path, ".npy", rows))


def test_bad_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none: no such folder, or nothing in it"):
        scores(tmp_path / "none")
    saved(tmp_path, ".npy", PROBABILITIES)
    (tmp_path / f"{CLIPS[1]}.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(UsageError, match=r"h_000300\.npy: not a readable NumPy file"):
        scores(tmp_path)
    saved(tmp_path, ".mp4.npy", PROBABILITIES)
    with pytest.raises(
        UsageError, match=r"g_000300\.npy has a second prediction of glLQrEijrKg_000300; name the table, or"
    ):
        scores(tmp_path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"clip": CLIPS}, "no column `name` of clips; its columns are clip"),
        ({"name": CLIPS, "air horn": [0.1] * 3}, r"2 of 3 classes have none \('bird chirping, tweeting', …\)"),
        ({"name": CLIPS, **{name: ["x"] * 3 for name in CLASSES}}, "column 'air horn' holds string instead of numbers"),
        ({"name": CLIPS, "vggsound_logits": [1.0] * 3}, "column vggsound_logits does not hold one number per class"),
        ({"name": CLIPS, **{name: [0.2, None, 0.1] for name in CLASSES}}, r"t\.parquet, row 2: 'air horn' has nan"),
    ],
    ids=["name", "classes", "type", "lists", "hole"],
)
def test_bad_tables_are_reported(columns: dict[str, Sequence[object]], message: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(UsageError, match=message):
        scores(tmp_path / "t.parquet")


def test_a_file_that_is_no_table_is_reported(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"t\.parquet: not a readable table"):
        scores(tmp_path / "t.parquet")
    with pytest.raises(UsageError, match=r"none\.csv: not a readable table \(No such file"):
        scores(tmp_path / "none.csv")


def written(path: Path, text: str) -> str:
    path.write_text(text, newline="")
    return str(path)


def test_ground_truth_of_the_lists(tmp_path: Path) -> None:
    test = written(tmp_path / "test.csv", f'{CLIPS[0]}.mp4,cat purring\r\n{CLIPS[1]}.mp4,"bird chirping, tweeting"\r\n')
    found = read_ground_truth(test, CLASSES, CLASSES)
    assert (found.names, found.target.tolist()) == (CLIPS[:2], [2, 1])
    found = read_ground_truth(test, CLASSES, CLASSES[1:])
    assert (found.names, found.target.tolist()) == (CLIPS[:2], [1, 0])
    found = read_ground_truth(test, CLASSES, CLASSES[:2])
    assert (found.names, found.target.tolist()) == (CLIPS[1:2], [1])
    everything = written(tmp_path / "vggsound.csv", "glLQrEijrKg,300,air horn,test\nglLQrEijrKg,310,air horn,train\n")
    assert read_ground_truth(everything, CLASSES, CLASSES).names == CLIPS[:1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{CLIPS[0]}.mp4,air horn\n{CLIPS[1]}.mp4,cat puring\n", r"line 2: unknown class 'cat puring' \(did you mean"),
        (f"{CLIPS[0]}.mp4,guitar\n", "line 1: unknown class 'guitar'; is this list of the same data set"),
        (f"{CLIPS[0]}.mp4,air horn\n{CLIPS[0]}.mp4,air horn\n", "line 2: g.*_000300 is in line 1 already"),
        ("air horn,1050,others\n", "line 1: 3 fields"),
    ],
    ids=["typo", "class", "twice", "stat.csv"],
)
def test_a_bad_list_is_reported_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "test.csv", text)
    with pytest.raises(UsageError, match=rf"test\.csv, {message}"):
        read_ground_truth(path, CLASSES, CLASSES)
