"""Feature files are written atomically, and a sink knows which of them are complete."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from torch_zoo.utils.files import atomic_write, remove_partial
from torch_zoo.utils.predictions import report
from torch_zoo.utils.sinks.files import FileSink, SaveNumpy, SavePickle
from torch_zoo.utils.sinks.print import Print
from torch_zoo.utils.types import Features, Predictions, Source, WorkerError

SOURCE = Source("videos/clip.mp4", "clip")
ARRAYS = {"rgb": np.arange(6, dtype=np.float32).reshape(2, 3), "flow": np.zeros((0, 128), np.float32)}
SINKS = [SaveNumpy, SavePickle]  # with a file for each array
ROWS = {"rgb": np.dtype((np.float32, 3)), "flow": np.dtype((np.float32, 128))}


def features(predictions: Predictions | None = None) -> Features:
    return Features(SOURCE, ARRAYS, np.zeros((2, 2)), predictions)


def written(sink: FileSink, **arrays: np.ndarray) -> FileSink:
    Path(sink.folder).mkdir(exist_ok=True)
    sink.write(Features(SOURCE, {**ARRAYS, **arrays}, np.zeros((2, 2))))
    sink.finish()
    return sink


@pytest.mark.parametrize("kind", SINKS)
def test_arrays_come_back_as_they_were(kind: type[FileSink], tmp_path: Path) -> None:
    sink = kind(folder=str(tmp_path / "new"))
    assert not sink.has(SOURCE, ROWS)
    sink.prepare({}, [SOURCE], ROWS, False)()
    predicted = features(Predictions({"rgb": np.zeros((2, 1))}, ["speech"]))
    assert sink.write(predicted) == report(predicted) != ""
    sink.finish()
    assert sink.has(SOURCE, ROWS)
    assert not sink.has(SOURCE, {**ROWS, "other": np.dtype(np.float32)})
    assert not sink.has(Source("clip_2.mp4", "clip_2"), ROWS)
    for key, array in ARRAYS.items():
        file = tmp_path / "new" / f"clip_{key}{sink.suffix}"
        loaded = np.load(file) if sink.suffix == ".npy" else pickle.loads(file.read_bytes())
        assert (loaded.shape, loaded.dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(loaded, array)


@pytest.mark.parametrize("kind", SINKS)
@pytest.mark.parametrize("key", ROWS)
@pytest.mark.parametrize("damage", ["nothing", "half", "all but a byte", "garbage", "folder"])
def test_damaged_file_is_not_there(kind: type[FileSink], key: str, damage: str, tmp_path: Path) -> None:
    sink = written(kind(folder=str(tmp_path)))
    file = tmp_path / f"clip_{key}{sink.suffix}"
    content = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        kept = {"nothing": b"", "half": content[: len(content) // 2], "all but a byte": content[:-1]}
        file.write_bytes(kept.get(damage, b"x" * 99))
    assert not sink.has(SOURCE, ROWS)


@pytest.mark.parametrize("kind", SINKS)
@pytest.mark.parametrize(
    "array",
    [np.array([["a", "b", "c"]]), np.zeros((7, 4), np.float32), np.zeros((2, 3)), np.zeros((), np.float32)],
    ids=str,
)
def test_arrays_of_another_type_or_shape_are_not_there(kind: type[FileSink], array: np.ndarray, tmp_path: Path) -> None:
    assert not written(kind(folder=str(tmp_path)), rgb=array).has(SOURCE, ROWS)


def test_an_array_of_many_dimensions_is_recognized(tmp_path: Path) -> None:
    """Its .npy header is longer than those of most arrays."""
    many = np.zeros((1,) * 32, np.float32)
    sink = written(SaveNumpy(folder=str(tmp_path)), rgb=many)
    assert sink.has(SOURCE, {"rgb": np.dtype((np.float32, many.shape[1:]))})


def test_a_pickle_that_runs_code_is_not_there_and_does_not_run(tmp_path: Path) -> None:
    sink = written(SavePickle(folder=str(tmp_path)))
    marker = tmp_path / "code has run"
    planted = f"cos\nsystem\n(Vtouch '{marker}'\ntR.".encode()
    pickle.loads(planted)
    assert marker.exists()  # so it does where it is loaded without care
    marker.unlink()
    (tmp_path / "clip_rgb.pkl").write_bytes(planted)
    assert not sink.has(SOURCE, ROWS)
    assert not marker.exists()


class Fails(SaveNumpy):
    def save(self, arrays: Mapping[str, np.ndarray], file: BinaryIO) -> None:
        file.write(b"half of ")
        raise OSError(28, "No space left on device")


def test_failure_leaves_what_was_there_before(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        Fails(folder=str(tmp_path)).write(features())
    assert list(tmp_path.glob("[!.]*")) == []
    sink = written(SaveNumpy(folder=str(tmp_path)))
    before = {path: path.read_bytes() for path in tmp_path.glob("*.npy")}
    failing = Fails(folder=str(tmp_path))
    with pytest.raises(OSError, match="No space left"):
        failing.write(features())
    assert {path: path.read_bytes() for path in tmp_path.glob("*.npy")} == before
    assert not list(tmp_path.glob(".*.part"))
    failing.finish()
    sink = SaveNumpy(folder=str(tmp_path))
    assert not sink.has(SOURCE, ROWS)  # of several arrays, some might be those of before


def test_what_a_crashed_worker_left_is_removed(tmp_path: Path) -> None:
    for token in ("host-1-ab", "host-1-abc"):
        with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "a.npy", token) as partial:
            partial.write_text("half")
            shutil.copy(partial, partial.with_name(f".{token}.0.part"))  # stays, as if the worker was killed
            raise KeyboardInterrupt
    remove_partial(tmp_path, ["host-1-ab"])
    assert [path.name for path in tmp_path.glob(".*.part")] == [".host-1-abc.0.part"]
    remove_partial(tmp_path, ["host-1-abc"])
    assert not list(tmp_path.glob(".*.part"))


def test_writing_where_the_folder_was_deleted_fails(tmp_path: Path) -> None:
    sink = SaveNumpy(folder=str(tmp_path / "new"))
    sink.prepare({}, [SOURCE], ROWS, False)()
    sink.write(features())
    shutil.rmtree(sink.folder)
    with pytest.raises(FileNotFoundError, match=r"deleted during the run.*new"):
        sink.write(features())
    with pytest.raises(WorkerError, match="new was deleted during the run"):
        sink.finish()
    assert not Path(sink.folder).exists()


def test_print_shows_key_array_and_figures() -> None:
    times = np.array([[5.0, 7.56], [5.4, 7.96]])
    assert Print().write(Features(SOURCE, {"rgb": ARRAYS["rgb"]}, times)).split("\n") == [
        "videos/clip.mp4",
        "rgb",
        "[[0. 1. 2.]",
        " [3. 4. 5.]]",
        "max: 5.00000000; mean: 2.50000000; min: 0.00000000",
        "rows: 2.56 s, one every 0.4 s",
        "",
    ]


def test_print_of_nothing_and_of_a_segment() -> None:
    segment = Source("a.mp4", "a_2_5", 2.0, 5.0)
    text = Print().write(Features(segment, {"flow": ARRAYS["flow"]}, np.zeros((0, 2))))
    assert text.split("\n") == ["a.mp4 (a_2_5)", "flow", "[]", ""]


def test_print_ends_in_the_predictions() -> None:
    predicted = features(Predictions({"rgb": np.zeros((2, 1))}, ["speech"]))
    assert Print().write(predicted).endswith(f"\n{report(predicted)}")
