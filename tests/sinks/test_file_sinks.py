"""Feature files appear whole or not at all, and a sink knows which of them are."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.sinks.files import FileSink, SaveNumpy, SavePickle
from torch_zoo.utils.sinks.print import Print
from torch_zoo.utils.types import Features, Source

SOURCE = Source("videos/clip.mp4", "clip")
ARRAYS = {"rgb": np.arange(6, dtype=np.float32).reshape(2, 3), "flow": np.zeros((0, 128), np.float32)}
SINKS = [SaveNumpy, SavePickle]
KEYS = tuple(ARRAYS)


def features(report: str = "") -> Features:
    return Features(SOURCE, ARRAYS, np.zeros((2, 2)), report)


@pytest.mark.parametrize("kind", SINKS)
def test_arrays_come_back_as_they_were(kind: type[FileSink], tmp_path: Path) -> None:
    sink = kind(folder=str(tmp_path / "new"))
    assert not sink.has(SOURCE, KEYS)
    assert sink.write(features("top 5: speech")) == "top 5: speech"
    assert sink.has(SOURCE, KEYS)
    assert not sink.has(SOURCE, [*KEYS, "other"])
    assert not sink.has(Source("clip_2.mp4", "clip_2"), KEYS)
    for key, array in ARRAYS.items():
        file = tmp_path / "new" / f"clip_{key}{sink.suffix}"
        loaded = np.load(file) if sink.suffix == ".npy" else pickle.loads(file.read_bytes())
        assert (loaded.shape, loaded.dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(loaded, array)


@pytest.mark.parametrize("kind", SINKS)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("damage", ["nothing", "half", "all but a byte", "garbage", "folder"])
def test_damaged_file_is_not_there(kind: type[FileSink], key: str, damage: str, tmp_path: Path) -> None:
    sink = kind(folder=str(tmp_path))
    sink.write(features())
    file = sink.path(SOURCE, key)
    content = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        kept = {"nothing": b"", "half": content[: len(content) // 2], "all but a byte": content[:-1]}
        file.write_bytes(kept.get(damage, b"x" * 99))
    assert not sink.has(SOURCE, KEYS)


class Fails(SaveNumpy):
    def save(self, array: np.ndarray, file: BinaryIO) -> None:
        file.write(b"half of ")
        raise OSError(28, "No space left on device")


def test_failure_leaves_what_was_there_before(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        Fails(folder=str(tmp_path)).write(features())
    assert list(tmp_path.iterdir()) == []
    SaveNumpy(folder=str(tmp_path)).write(features())
    with pytest.raises(OSError, match="No space left"):
        Fails(folder=str(tmp_path)).write(features())
    assert SaveNumpy(folder=str(tmp_path)).has(SOURCE, KEYS)
    assert len(list(tmp_path.iterdir())) == len(KEYS)


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "a.npy") as partial:
        partial.write_text("half")
        kept = partial.rename(partial.with_name(".a.npy.4711.part"))  # as another process would have called it
        raise KeyboardInterrupt
    SaveNumpy(folder=str(tmp_path)).clean(47)
    assert kept.exists()
    SaveNumpy(folder=str(tmp_path)).clean(4711)
    assert not kept.exists()


def test_print_shows_key_array_and_figures() -> None:
    assert Print().write(Features(SOURCE, {"rgb": ARRAYS["rgb"]}, np.zeros((2, 2)))).split("\n") == [
        "videos/clip.mp4",
        "rgb",
        "[[0. 1. 2.]",
        " [3. 4. 5.]]",
        "max: 5.00000000; mean: 2.50000000; min: 0.00000000",
        "",
    ]


def test_print_of_nothing_and_of_a_segment() -> None:
    segment = Source("a.mp4", "a_2_5", 2.0, 5.0)
    text = Print().write(Features(segment, {"flow": ARRAYS["flow"]}, np.zeros((0, 2)), "top 5: speech"))
    assert text.split("\n") == ["a.mp4 (a_2_5)", "flow", "[]", "top 5: speech"]
