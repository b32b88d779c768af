"""All arrays of a source in one .npz file, and the choice of arrays in all file formats."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import ARRAYS, ROWS, extract, left

from torch_zoo.utils.sinks.files import FileSink, SaveNpz, SaveNumpy, SavePickle
from torch_zoo.utils.types import Source, UsageError

CLIP = Source("clip.mp4", "clip")


@pytest.fixture
def sink(tmp_path: Path) -> SaveNpz:
    sink = SaveNpz(folder=str(tmp_path))
    extract(sink, [CLIP])
    return sink


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.np*")}


def test_arrays_come_back_by_name(sink: SaveNpz, tmp_path: Path) -> None:
    assert left(sink, [CLIP]) == ""
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as loaded:
        assert set(loaded) == set(ARRAYS)
        for key, array in ARRAYS.items():
            np.testing.assert_array_equal(loaded[key], array, strict=True)


def test_files_of_equal_arrays_are_equal(sink: SaveNpz, tmp_path: Path) -> None:
    """No time of writing is in them."""
    extract(SaveNpz(folder=str(tmp_path / "again")), [CLIP])
    assert (tmp_path / "again/clip.npz").read_bytes() == (tmp_path / "clip.npz").read_bytes()


def test_a_file_cut_anywhere_is_not_there(sink: SaveNpz, tmp_path: Path) -> None:
    content = (tmp_path / "clip.npz").read_bytes()
    for cut in range(0, len(content), 7):
        (tmp_path / "clip.npz").write_bytes(content[:cut])
        assert left(sink, [CLIP]) == "clip"


@pytest.mark.parametrize(
    "arrays",
    [
        {"rgb": ARRAYS["rgb"]},
        {**ARRAYS, "more": ARRAYS["rgb"]},
        {**ARRAYS, "flow": ARRAYS["flow"][:, :3]},
        {**ARRAYS, "flow": ARRAYS["flow"].astype(np.float32)},
        {**ARRAYS, "flow": np.array(["a"])},
    ],
    ids=["missing", "too many", "too narrow", "of another type", "text"],
)
def test_files_with_other_arrays_are_not_there(arrays: dict[str, np.ndarray], sink: SaveNpz, tmp_path: Path) -> None:
    np.savez(tmp_path / "clip.npz", **ARRAYS)
    assert left(sink, [CLIP]) == ""
    np.savez(tmp_path / "clip.npz", **arrays)
    assert left(sink, [CLIP]) == "clip"


def test_a_member_that_is_shorter_than_its_header_says_is_not_there(sink: SaveNpz, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "clip.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "clip.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content[:-1])
    assert left(sink, [CLIP]) == "clip"


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (SaveNumpy, {"keys": ["rgb"]}, {"clip_rgb.npy"}),
        (SaveNumpy, {"keys": ["rgb"], "name_pattern": "{name}"}, {"clip.npy"}),
        (SaveNumpy, {"name_pattern": "{key}/{name}"}, {"rgb/clip.npy", "flow/clip.npy"}),
        (SaveNpz, {"name_pattern": "{name}/{key}"}, {"clip/rgb.npz", "clip/flow.npz"}),
        (SaveNpz, {"keys": ["flow"]}, {"clip.npz"}),
    ],
)
def test_names_and_arrays_of_choice(
    kind: type[FileSink], options: dict[str, Any], expected: set[str], tmp_path: Path
) -> None:
    sink = kind(folder=str(tmp_path), **options)
    extract(sink, [CLIP])
    assert files(tmp_path) == expected
    assert left(sink, [CLIP]) == ""
    (tmp_path / max(expected)).unlink()
    assert left(sink, [CLIP]) == "clip"


def test_names_of_arrays_within_a_file(tmp_path: Path) -> None:
    extract(SaveNpz(folder=str(tmp_path / "one"), keys={"rgb": "x", "flow": "y"}), [CLIP])
    with np.load(tmp_path / "one/clip.npz") as loaded:
        np.testing.assert_array_equal(loaded["y"], ARRAYS["flow"])
    alike = SaveNpz(folder=str(tmp_path / "two"), name_pattern="{key}/{name}", keys={"rgb": "x", "flow": "x"})
    extract(alike, [CLIP])
    for key, array in ARRAYS.items():
        with np.load(tmp_path / f"two/{key}/clip.npz") as loaded:
            np.testing.assert_array_equal(loaded["x"], array)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (SaveNumpy, {"keys": []}, r"keys=\[\]: must be a list of keys"),
        (SaveNumpy, {"keys": "rgb"}, r"keys=rgb: must be a list of keys"),
        (SaveNpz, {"keys": {"rgb": "a/b"}}, r"must be a list of keys"),
        (SaveNpz, {"keys": {"rgb": 1}}, r"must be a list of keys"),
        (SavePickle, {"keys": {"rgb": "x"}}, r"a \.pkl file holds one array, without a name"),
        (SaveNpz, {"keys": {"rgb": "x", "flow": "x"}}, r"two arrays of one file would have one name"),
        (SaveNumpy, {"keys": ["rgb", "fps"]}, r"there is no array fps; there are: rgb, flow$"),
        (SaveNpz, {"keys": {"rgb": "x", "z": "y"}}, r"there is no array z; there are: rgb, flow; ~keys\.z leaves it"),
        (SaveNumpy, {"name_pattern": "{name}"}, r"without \{key\}, rgb, flow would be written to one file"),
    ],
)
def test_wrong_choices_are_refused_before_any_work(
    kind: type[FileSink], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        kind(folder=str(tmp_path / "new"), **options).prepare({}, [CLIP], ROWS, False)
    assert not (tmp_path / "new").exists()


def test_runs_with_other_names_or_arrays_do_not_share_a_folder(sink: SaveNpz, tmp_path: Path) -> None:
    """Not even where their files would be told apart: a name may mean another source in another pattern."""
    for options in ({"name_pattern": "{name}_"}, {"keys": ["rgb"]}):
        [name] = options
        with pytest.raises(UsageError, match=rf"holds features made with {name}="):
            left(SaveNpz(folder=str(tmp_path), **options), [CLIP])
    left(SaveNumpy(folder=str(tmp_path)), [CLIP])  # another format with its own default


def test_adopted_files_are_found_by_their_names(tmp_path: Path) -> None:
    sink = SaveNpz(folder=str(tmp_path), name_pattern="of/{name}!", adopt=True)
    (tmp_path / "of").mkdir()
    np.savez(tmp_path / "of/clip!.npz", **ARRAYS)
    assert left(sink, [CLIP]) == ""
