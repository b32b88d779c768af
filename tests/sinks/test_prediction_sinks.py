"""Tables and files of predictions, against SciPy's softmax and what other tools read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
import scipy.special
from sink_runs import begun, done, end, run
from table_maker import FLOATS, SETTINGS, features, source

from torch_zoo.models.vggsound.scores import probabilities, read_predictions
from torch_zoo.utils.options import with_predictions
from torch_zoo.utils.predictions import report
from torch_zoo.utils.sinks.files import SaveNumpy
from torch_zoo.utils.sinks.predictions import SavePredictions, SaveSoftmax
from torch_zoo.utils.types import Features, Predictions, UsageError

CLASSES = ["dog, barking", 'cat "purring"', "people\nwhistling", "ocean", "NA"]
LOGITS = np.array([[3.0, 1.0, 2.0, 3.0, -50.0], [0.0, 500.0, -500.0, 1.0, 2.0]], np.float32)
PROBABILITIES = scipy.special.softmax(LOGITS.astype(np.float64), axis=1)
ROUNDING = 2.0**-25  # of a probability in float32
FORMATS = ["predictions.parquet", "predictions.csv"]


def predicted(name: str, **heads: np.ndarray) -> Features:
    return replace(features(name), predictions=Predictions(heads or {"audio": LOGITS}, CLASSES))


def table(folder: Path, file: str) -> pd.DataFrame:
    if file.endswith(".parquet"):
        return pd.read_parquet(folder / file)
    return pd.read_csv(folder / file, keep_default_na=False, na_values=[""])


@pytest.mark.parametrize("file", FORMATS)
def test_the_best_classes_with_their_probabilities(file: str, tmp_path: Path) -> None:
    labeled = replace(predicted("a"), source=replace(source("a"), columns={"label": "ocean"}))
    run(SavePredictions(folder=str(tmp_path), predictions_file=file, top_k=3), labeled, predicted("b"))
    frame = table(tmp_path, file)
    best = [f"{word}_{place}" for place in (1, 2, 3) for word in ("class", "probability")]
    assert list(frame) == ["name", "path", "start", "end", "label", "head", *best]
    assert list(frame["name"]) == ["a", "a", "b", "b"]
    assert list(frame["label"].fillna("none")) == ["ocean", "ocean", "none", "none"]
    np.testing.assert_allclose(frame[["start", "end"]][:2], [[0, 0.96], [0.96, 1.92]])
    assert list(frame.loc[0, ["class_1", "class_2", "class_3"]]) == ["dog, barking", "ocean", "people\nwhistling"]
    assert list(frame.loc[1, ["class_1", "class_2", "class_3"]]) == ['cat "purring"', "NA", "ocean"]
    found = frame[["probability_1", "probability_2", "probability_3"]][:2]
    expected = -np.sort(-PROBABILITIES, axis=1)[:, :3]
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("file", FORMATS)
def test_all_classes_have_a_column_each(file: str, tmp_path: Path) -> None:
    run(SavePredictions(folder=str(tmp_path), predictions_file=file, top_k=None), predicted("a"))
    frame = table(tmp_path, file)
    assert list(frame)[5:] == CLASSES
    np.testing.assert_allclose(frame[CLASSES], PROBABILITIES, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("file", FORMATS)
def test_a_row_per_head(file: str, tmp_path: Path) -> None:
    made = predicted("a", rgb=LOGITS, flow=-LOGITS)
    run(SavePredictions(folder=str(tmp_path), predictions_file=file, top_k=1), made)
    frame = table(tmp_path, file)
    assert list(zip(frame["head"], frame["class_1"], strict=True)) == [
        *(("rgb", "dog, barking"), ("rgb", 'cat "purring"')),
        *(("flow", "NA"), ("flow", "people\nwhistling")),
    ]


@pytest.mark.parametrize("file", FORMATS)
def test_later_runs_add_and_replace(file: str, tmp_path: Path) -> None:
    def sink() -> SavePredictions:
        return SavePredictions(folder=str(tmp_path), predictions_file=file, top_k=1)

    assert run(sink(), predicted("a"), predicted("b")) == ["a", "b"]
    labeled = replace(predicted("c"), source=replace(source("c"), columns={"label": "ocean"}))
    assert run(sink(), predicted("a"), labeled) == ["c"]
    run(sink(), predicted("b", audio=-LOGITS), overwrite=True)
    assert done(sink(), [predicted(name) for name in "abcd"]) == ["a", "b", "c"]
    frame = table(tmp_path, file).sort_values(["name", "start"])
    assert list(frame["name"]) == ["a", "a", "b", "b", "c", "c"]
    assert list(frame["class_1"])[2:4] == ["NA", "people\nwhistling"]
    assert list(frame["label"].fillna("none")) == ["none"] * 4 + ["ocean"] * 2


@pytest.mark.parametrize("file", FORMATS)
def test_text_of_the_list_stays_text_and_what_it_lacks_is_null(file: str, tmp_path: Path) -> None:
    """A table is written again to add rows (a, c) and to drop some (b)."""

    def sink() -> SavePredictions:
        return SavePredictions(folder=str(tmp_path), predictions_file=file, top_k=1)

    def listed(name: str, **columns: str) -> Features:
        return replace(predicted(name), source=replace(source(name), columns=columns))

    run(sink(), listed("a", label="007", date="2026-01-01"), listed("b", label="true"))
    run(sink(), predicted("c"))
    run(sink(), listed("b", label="1e3", note='two\r\nlines, "quoted"'), overwrite=True)
    frame = pd.read_parquet(tmp_path / file) if file == FORMATS[0] else pd.read_csv(tmp_path / file, dtype=str)
    rows = frame.drop_duplicates("name").set_index("name").fillna("null")
    texts = {name: tuple(rows.loc[name, ["label", "date", "note"]]) for name in "abc"}
    assert texts == {
        "a": ("007", "2026-01-01", "null"),
        "b": ("1e3", "null", 'two\r\nlines, "quoted"'),
        "c": ("null", "null", "null"),
    }


@pytest.mark.parametrize("file", FORMATS)
@pytest.mark.parametrize("rows_per_file", [None, 4])
def test_other_options_are_other_settings(file: str, rows_per_file: int | None, tmp_path: Path) -> None:
    def sink(top_k: int | None) -> SavePredictions:
        return SavePredictions(folder=str(tmp_path), predictions_file=file, rows_per_file=rows_per_file, top_k=top_k)

    run(sink(1), predicted("a"))
    with pytest.raises(UsageError, match=r"top_k=1 \(now None\)"):
        sink(None).prepare(SETTINGS, [], FLOATS, False)


def test_a_class_that_is_called_like_another_column_is_refused(tmp_path: Path) -> None:
    made = replace(features("a"), predictions=Predictions({"audio": LOGITS[:, :2]}, ["dog", "head"]))
    sink = SavePredictions(folder=str(tmp_path), top_k=None)
    sink.prepare(SETTINGS, [], FLOATS, False)()
    with pytest.raises(UsageError, match="two columns would be called head, as a class is; give a number as top_k"):
        sink.write(made)


def test_a_column_of_the_list_that_the_table_needs_is_refused(tmp_path: Path) -> None:
    taken = replace(source("a"), columns={"class_2": "x"})
    with pytest.raises(UsageError, match="the list has a column class_2, which the table needs for itself"):
        SavePredictions(folder=str(tmp_path), top_k=2).prepare(SETTINGS, [taken], FLOATS, False)


def test_csv_behind_a_url_and_no_classes_are_refused() -> None:
    with pytest.raises(UsageError, match="a CSV table needs a local folder"):
        SavePredictions(folder="memory://x", predictions_file=FORMATS[1])
    with pytest.raises(UsageError, match="top_k=0: must be 1 or more, or null for all classes"):
        SavePredictions(folder="x", top_k=0)


def test_predictions_behind_a_url(bucket: str) -> None:
    folder = f"{bucket}/predictions"
    run(SavePredictions(folder=folder, top_k=1), predicted("a"), predicted("b"))
    assert run(SavePredictions(folder=folder, top_k=1), predicted("b"), predicted("c")) == ["c"]
    system, path = fsspec.url_to_fs(folder)
    names = [name for file in system.glob(f"{path}/*.parquet") for name in pd.read_parquet(system.open(file))["name"]]
    assert sorted(names) == ["a", "a", "b", "b", "c", "c"]


def test_softmax_rows_per_source(tmp_path: Path) -> None:
    made = [predicted("a"), predicted("b.mp4", rgb=LOGITS, sum=-LOGITS), replace(features("c", 0), predictions=None)]
    run(SaveSoftmax(folder=str(tmp_path)), *made)
    found = np.load(tmp_path / "a.npy")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, PROBABILITIES, rtol=0, atol=ROUNDING)
    expected = scipy.special.softmax(-LOGITS.astype(np.float64), axis=1)
    np.testing.assert_allclose(np.load(tmp_path / "b.mp4.npy"), expected, rtol=0, atol=ROUNDING)
    assert len(np.load(tmp_path / "c.npy")) == 0
    assert done(SaveSoftmax(folder=str(tmp_path)), made) == ["a", "b.mp4", "c"]


@pytest.mark.parametrize("kind", [*FORMATS, "softmax"])
def test_the_evaluation_of_vggsound_reads_what_is_stored(kind: str, tmp_path: Path) -> None:
    """Of a clip with two windows it takes the mean of their probabilities."""
    if kind == "softmax":
        run(SaveSoftmax(folder=str(tmp_path)), predicted("a"), predicted("b"))
        path = tmp_path
    else:
        run(SavePredictions(folder=str(tmp_path), predictions_file=kind, top_k=None), predicted("a"), predicted("b"))
        path = tmp_path / kind
    found = {each.clip: probabilities(each, CLASSES) for each in read_predictions(str(path), {"a", "b"}, CLASSES)}
    assert sorted(found) == ["a", "b"]
    np.testing.assert_allclose(found["b"], PROBABILITIES.mean(axis=0), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("kind", [SavePredictions, SaveSoftmax])
def test_predictions_are_printed_as_well_on_request(kind: type[SavePredictions | SaveSoftmax], tmp_path: Path) -> None:
    silent, loud = (kind(folder=str(tmp_path / str(show_pred)), show_pred=show_pred) for show_pred in (False, True))
    for sink, printed in ((silent, ""), (loud, report(predicted("a")))):
        sink.prepare(SETTINGS, [source("a")], FLOATS, False)()
        worker = begun(sink)
        assert worker.write(predicted("a")) == printed
        end(worker)


def test_an_extractor_without_a_classifier_is_refused() -> None:
    from torch_zoo.models.i3d.extractor import I3DExtractor
    from torch_zoo.models.vggish.extractor import VGGishExtractor

    for sink in (SavePredictions, SaveSoftmax):
        targets = {"feature_type": I3DExtractor, "on_extraction": sink}
        assert with_predictions(targets, "i3d") == {"show_pred": True}
        targets["feature_type"] = VGGishExtractor
        with pytest.raises(UsageError, match="feature_type=vggish has no classifier whose predictions could be stored"):
            with_predictions(targets, "vggish")
    assert with_predictions(targets | {"on_extraction": SaveNumpy}, "vggish") == {}
