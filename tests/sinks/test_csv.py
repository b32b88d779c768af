"""Predictions as CSV: what other tools read and write there."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sink_runs import run
from table_maker import FLOATS, SETTINGS, features, source

from torch_zoo.utils.sinks.predictions import SavePredictions
from torch_zoo.utils.types import Features, Predictions, UsageError

FILE = "predictions.csv"
LOGITS = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]], np.float32)


def sink(folder: Path, **options: Any) -> SavePredictions:
    return SavePredictions(folder=str(folder), predictions_file=FILE, **{"top_k": 1, **options})


def predicted(name: str) -> Features:
    return replace(features(name), predictions=Predictions({"audio": LOGITS}, ["dog, barking", 'cat "purring"', "NA"]))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / FILE).open(newline="") as file:
        return list(csv.DictReader(file))


def test_other_readers(tmp_path: Path) -> None:
    run(sink(tmp_path, top_k=2), predicted("a"))
    assert [row["class_1"] for row in rows(tmp_path)] == ["dog, barking", 'cat "purring"']
    assert pl.read_csv(tmp_path / FILE)["class_2"].to_list() == ["NA", "NA"]


def test_kept_rows_are_copied_as_they_are(tmp_path: Path) -> None:
    """Also those that a spreadsheet has written."""
    path = tmp_path / FILE
    run(sink(tmp_path), predicted("a"), predicted("b"))
    header, *before = path.read_text().splitlines()
    before[0] = 'a,music/a.mp3,0.000,"9,6E-01",audio,"cat ""purring""",1'
    path.write_bytes("\r\n".join(["\ufeff" + header, "", *before]).encode())
    run(sink(tmp_path), replace(predicted("c"), source=replace(source("c"), columns={"label": "ocean"})))
    assert path.read_text().splitlines()[1:5] == [f"{row}," for row in before]
    assert [row["label"] for row in rows(tmp_path)] == ["", "", "", "", "ocean", "ocean"]


@pytest.mark.parametrize("row", ["a,b", 'a,"never closed', '"a"x,' + "0," * 6])
def test_a_damaged_table_is_named(row: str, tmp_path: Path) -> None:
    run(sink(tmp_path), predicted("a"))
    with (tmp_path / FILE).open("a") as file:
        file.write(row)
    with pytest.raises(UsageError, match=r"predictions\.csv: not a table of predictions .*; move it away"):
        sink(tmp_path).prepare(SETTINGS, [], FLOATS, False)


def test_a_table_of_other_settings_and_one_of_something_else_are_refused(tmp_path: Path) -> None:
    run(sink(tmp_path), predicted("a"))
    with pytest.raises(UsageError, match=r"hop_seconds=0\.96 \(now 1\)"):
        sink(tmp_path).prepare({**SETTINGS, "hop_seconds": 1}, [], FLOATS, False)
    (tmp_path / FILE).write_text("clip,label\na,dog\n")
    with pytest.raises(UsageError, match=r"predictions\.csv: not a table of predictions \(it has no column name\)"):
        sink(tmp_path).prepare(SETTINGS, [], FLOATS, False)


def test_a_list_of_the_user_in_the_folder_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\na.mp4\n")
    run(sink(tmp_path), predicted("a"))
