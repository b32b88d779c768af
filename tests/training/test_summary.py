"""What came of a training: confusions, mistakes and files, against scikit-learn and the definitions."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from training_summary import CLASSES, summary

from torch_zoo.utils.evaluation.confusion import confusion_matrix, confusions
from torch_zoo.utils.lists.formats import recognized
from torch_zoo.utils.sources import listed_in
from torch_zoo.utils.training import summary as writing
from torch_zoo.utils.training.metrics import Predicted


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("seed", range(3))
def test_the_confusion_matrix_is_that_of_scikit_learn(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    target, predicted = random.integers(0, 7, (2, 100))
    predicted[predicted == 3] = 2  # a class that is never predicted
    expected = metrics.confusion_matrix(target, predicted, labels=range(8))
    np.testing.assert_array_equal(confusion_matrix(target, predicted, 8), expected)


def test_confusions_are_ordered_by_their_number() -> None:
    matrix = np.array([[5, 2, 0], [7, 1, 1], [2, 0, 9]])
    expected = [("b", "a", 7), ("a", "b", 2), ("c", "a", 2), ("b", "c", 1)]
    assert confusions(matrix, ["a", "b", "c"]) == expected
    assert confusions(np.diag([3, 4]), ["a", "b"]) == []


def test_the_most_probable_class_is_predicted() -> None:
    predicted = Predicted.of(np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]]))
    assert predicted.classes.tolist() == [1, 0]
    assert predicted.probabilities.tolist() == [0.7, 0.5]


def test_the_files_say_what_is_confused_and_which_clips_are_wrong(tmp_path: Path) -> None:
    made = summary()
    said = writing.write(made, str(tmp_path))
    assert said == f"confusion.csv, mistakes.csv, report.html, report.png are in {tmp_path}"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(writing.FILES)
    (_, *heads), *rows = read(tmp_path / "confusion.csv")
    assert heads == [name for name, *_ in rows] == list(CLASSES)
    np.testing.assert_array_equal([list(map(int, row[1:])) for row in rows], made.matrix)

    head, *mistakes = read(tmp_path / "mistakes.csv")
    assert head == ["path", "start", "end", "true_class", "predicted_class", "probability"]
    wrong = np.flatnonzero(made.target != made.predicted.classes)
    assert {row[0] for row in mistakes} == {made.clips[one].path for one in wrong}
    assert len(mistakes) == len(wrong) == made.matrix.sum() - np.trace(made.matrix)
    place = {clip.path: index for index, clip in enumerate(made.clips)}
    for path, _, _, true, other, probability in mistakes:
        assert true == CLASSES[made.target[place[path]]]
        assert other == CLASSES[made.predicted.classes[place[path]]]
        assert float(probability) == pytest.approx(made.predicted.probabilities[place[path]], abs=5e-5)
    assert [row[5] for row in mistakes] == sorted((row[5] for row in mistakes), reverse=True)
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def test_the_mistakes_are_a_list_of_media(tmp_path: Path) -> None:
    writing.write(summary(), str(tmp_path))
    listed = list(listed_in(str(tmp_path / "mistakes.csv"), recognized(str(tmp_path / "mistakes.csv")), None))
    assert [each.source.path for each in listed] == [clip.path for clip, *_ in summary().mistakes()]
    assert listed[0].source.start == 30.0


def test_the_text_names_the_most_frequent_confusions() -> None:
    made = summary()
    first, *others = made.text().splitlines()
    right = np.trace(made.matrix)
    assert first == (
        f"{right} of 60 validation clips are right ({right / 60:.1%}), epoch 2; the most frequent confusions:"
    )
    assert 0 < len(others) <= 5
    true, other, number = made.confusions[0]
    assert others[0] == f"  {true} → {other}: {number} of {made.matrix[CLASSES.index(true)].sum()}"


def test_nothing_is_confused_where_all_is_right(tmp_path: Path) -> None:
    made = summary()
    perfect = replace(made, predicted=Predicted(made.target, np.ones(len(made.target))))
    assert perfect.text() == "60 of 60 validation clips are right (100.0%), epoch 2"
    writing.write(perfect, str(tmp_path))
    assert len(read(tmp_path / "mistakes.csv")) == 1
    assert "All clips are right." in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_without_matplotlib_the_tables_are_written_and_one_line_says_what_is_missing(tmp_path: Path) -> None:
    with patch("torch_zoo.utils.extras.find_spec", return_value=None):
        said = writing.write(summary(), str(tmp_path))
    assert said == (
        f"confusion.csv, mistakes.csv are in {tmp_path}; no report.html and report.png: Matplotlib is missing: "
        'pip install "torch-zoo[report]"'
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confusion.csv", "mistakes.csv"]
    writing.forget(str(tmp_path))
    assert not list(tmp_path.iterdir())
