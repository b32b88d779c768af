"""A folder as a task: training set, validation set, and skipped files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from torch_zoo.utils.training.folder import Folder
from torch_zoo.utils.training.labeled import Labeled, concatenated, shuffled
from torch_zoo.utils.types import MediaError, UsageError


def write(path: Path, *values: float) -> Path:
    """A file with one example per value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(" ".join(map(str, values)))
    return path


def read(path: Path) -> np.ndarray:
    """(n, 1) float32."""
    values = np.array(path.read_text().split(), np.float32)
    if not len(values):
        raise MediaError("no example in it")
    return values[:, None]


def folder(path: Path, seed: int = 0) -> Folder:
    return Folder(path, read, seed, batch_size=15)


def training_set(task: Folder, seed: int = 0) -> Labeled:
    return concatenated(task.epoch(np.random.default_rng(seed)))


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Ten dogs of two examples, 1 to 20; two cats, one of them deeper, -1 to -5."""
    for number in range(10):
        write(tmp_path / "dog" / f"{number}.wav", 2 * number + 1, 2 * number + 2)
    write(tmp_path / "cat" / "deep" / "0.MP4", -1, -2)
    write(tmp_path / "cat" / "1.wav", -3, -4, -5)
    write(tmp_path / "cat" / "notes.txt", 99)
    return tmp_path


def test_a_fifth_of_the_files_of_each_class_is_held_out(media):
    task = folder(media)
    assert task.classes == ("cat", "dog")
    learned, held_out = training_set(task), task.validation
    assert sorted([*learned.inputs.ravel(), *held_out.inputs.ravel()]) == [*range(-5, 0), *range(1, 21)]
    for part in (learned, held_out):
        np.testing.assert_array_equal(part.labels, (part.inputs > 0)[:, 0])
    dogs = held_out.inputs[held_out.inputs > 0]
    assert len(dogs) == 4  # two files of ten
    assert {(value + 1) // 2 for value in dogs[:2]} != {(value + 1) // 2 for value in dogs[2:]}
    assert len({(value + 1) // 2 for value in dogs}) == 2
    assert sorted(held_out.inputs[held_out.inputs < 0]) in ([-2, -1], [-5, -4, -3])


def test_the_split_depends_on_the_seed(media):
    splits = [folder(media, seed).validation.inputs.tobytes() for seed in (*range(8), 0)]
    assert splits[0] == splits[-1]
    assert len(set(splits)) > 1


def test_an_epoch_has_every_example_once_in_random_order(media):
    task = folder(media)
    one, two = (training_set(task, seed).inputs for seed in range(2))
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(np.sort(one, axis=0), np.sort(two, axis=0))


def test_inputs_and_labels_are_shuffled_together_in_batches():
    values = np.arange(32, dtype=np.float32)
    batches = list(shuffled(Labeled(values, -values), np.random.default_rng(0), 15))
    assert [len(batch.labels) for batch in batches] == [15, 15, 2]
    for batch in batches:
        np.testing.assert_array_equal(batch.inputs, -batch.labels)


def test_unreadable_files_are_skipped_with_a_warning(media, caplog):
    empty = write(media / "dog" / "empty.wav")
    task = folder(media)
    assert len(training_set(task).labels) + len(task.validation.labels) == 25
    assert caplog.messages == [f"{empty}: skipped: no example in it"]


def test_a_folder_without_classes_is_refused(media):
    with pytest.raises(UsageError, match="1 subfolders; at least two are needed, one per class"):
        folder(media / "cat")
    with pytest.raises(UsageError, match="no such folder"):
        folder(media / "bird")
    write(media / "bird" / "one.wav", 1)
    with pytest.raises(UsageError, match="bird: 1 usable files; a class needs two"):
        folder(media).validation  # noqa: B018
