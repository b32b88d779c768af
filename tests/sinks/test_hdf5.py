"""HDF5 files: a group per source, whatever its name, complete whatever happens to workers."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shard_reader import members
from sink_runs import begun, done, end, run
from table_maker import FLOATS, SETTINGS, features, source

from torch_zoo.utils.sinks.hdf5 import SaveHDF5, group_of, name_in
from torch_zoo.utils.sinks.webdataset import SaveWebDataset
from torch_zoo.utils.types import Features, UsageError

h5py = pytest.importorskip("h5py")

NAMES = ["a", "clip.v2", ".", "..", "%2E", "%", "ünïcode [1] {x}", os.fsdecode(b"caf\xe9"), "n" * 200]


def arrays(folder: Path, key: str = "vggish") -> dict[str, np.ndarray]:
    with h5py.File(folder / "features.h5") as file:
        return {group.attrs["name"]: group[key][()] for group in file.values()}


def test_arrays_times_and_attributes_come_back(tmp_path: Path) -> None:
    made = replace(features("a"), source=replace(source("a"), start=2.0, end=5.0, columns={"label": "dog"}))
    run(SaveHDF5(folder=str(tmp_path)), made, features("none", rows=0))
    with h5py.File(tmp_path / "features.h5") as file:
        np.testing.assert_array_equal(file["a/vggish"], made.arrays["vggish"])
        assert file["a/vggish"].dtype == np.float32
        np.testing.assert_array_equal(file["a/times"], made.times)
        described = {"name": "a", "path": "music/a.mp3", "start": 2.0, "end": 5.0, "label": "dog"}
        assert dict(file["a"].attrs) == described
        assert (file["none/vggish"].shape, file["none/times"].shape) == ((0, 4), (0, 2))
        assert "hop_seconds: 0.96" in file.attrs["extraction"]


def test_names_may_hold_anything(tmp_path: Path) -> None:
    all_features = [features(name, value=number) for number, name in enumerate(NAMES)]
    run(SaveHDF5(folder=str(tmp_path)), *all_features)
    found = arrays(tmp_path)
    assert len(found) == len(NAMES)
    for each in all_features:
        name = each.source.name.encode(errors="backslashreplace").decode()
        np.testing.assert_array_equal(found[name], each.arrays["vggish"])
    assert done(SaveHDF5(folder=str(tmp_path)), all_features) == NAMES
    with h5py.File(tmp_path / "features.h5") as file:
        assert {"a", "clip.v2", "..", "%2E", "%252E"} <= set(file)


@given(name=st.text(min_size=1).filter(lambda name: "/" not in name))
def test_a_group_says_the_name(name: str) -> None:
    assert name_in(group_of(name)) == name
    assert group_of(name) != "."


def test_a_second_run_adds_and_replaces(tmp_path: Path) -> None:
    sink = SaveHDF5(folder=str(tmp_path))
    assert run(sink, features("a"), features("b"), features(".")) == ["a", "b", "."]
    assert run(SaveHDF5(folder=str(tmp_path)), features("a"), features("c")) == ["c"]
    run(SaveHDF5(folder=str(tmp_path)), features("b", 1, 7), features(".", 1, 8), overwrite=True)
    found = arrays(tmp_path)
    assert sorted(found) == [".", "a", "b", "c"]
    np.testing.assert_array_equal(found["b"], features("b", 1, 7).arrays["vggish"])
    np.testing.assert_array_equal(found["."], features(".", 1, 8).arrays["vggish"])


def test_the_file_says_the_settings_of_the_run_that_overwrote_it(tmp_path: Path) -> None:
    """Also where that run first made the file of what a killed one had left."""
    for hop_seconds, overwrite in ((0.96, False), (5, True)):
        sink = SaveHDF5(folder=str(tmp_path))
        sink.prepare({**SETTINGS, "hop_seconds": hop_seconds}, [source("a")], FLOATS, overwrite)()
        worker = begun(sink)
        worker.write(features("a"))
        for process in (worker, sink):
            end(process)
    sink.finish()
    with h5py.File(tmp_path / "features.h5") as file:
        assert "hop_seconds: 5\n" in file.attrs["extraction"]


def test_a_run_of_another_format_in_the_folder_leaves_the_journals_alone(tmp_path: Path) -> None:
    sink = SaveHDF5(folder=str(tmp_path))
    sink.prepare(SETTINGS, [source("a")], FLOATS, overwrite=False)()
    worker = begun(sink)
    worker.write(features("a"))
    end(worker)
    run(SaveWebDataset(folder=str(tmp_path)), features("b"))
    sink.finish()
    assert list(arrays(tmp_path)) == ["a"]
    assert [name for name, _ in members(str(tmp_path))] == ["__sources__", "b.vggish.npy", "b.json"]


def test_killed_worker_loses_nothing_but_what_it_was_writing(tmp_path: Path) -> None:
    sink = SaveHDF5(folder=str(tmp_path))
    sink.prepare(SETTINGS, [], FLOATS, overwrite=False)()
    worker = SaveHDF5(folder=str(tmp_path))
    for name in "abc":
        worker.write(features(name))
    [journal] = tmp_path.glob("features.*.journal")
    os.truncate(journal, journal.stat().st_size - 100)
    worker.waiting.journal.close()
    worker.provenance.close()
    again = SaveHDF5(folder=str(tmp_path))
    assert done(again, [features(name) for name in "abc"]) == ["a", "b"]
    assert sorted(arrays(tmp_path)) == ["a", "b"]


def test_keys_choose_arrays_and_name_them_in_groups(tmp_path: Path) -> None:
    """<name>/i3d_features/rgb and so on, as MDVC reads them."""
    rgb, flow = np.eye(2, 4, dtype=np.float32), np.ones((2, 4), np.float32)
    both = Features(source("v_1"), {"rgb": rgb, "flow": flow, "fps": np.array(25.0)}, np.zeros((2, 2)))
    sink = SaveHDF5(folder=str(tmp_path), keys={"rgb": "i3d_features/rgb", "flow": "i3d_features/flow"})
    sink.prepare(SETTINGS, [both.source], {key: array.dtype for key, array in both.arrays.items()}, False)()
    sink.write(both)
    sink.finish()
    with h5py.File(tmp_path / "features.h5") as file:
        np.testing.assert_array_equal(file["v_1/i3d_features/rgb"][:], rgb)
        np.testing.assert_array_equal(file["v_1"]["i3d_features"]["flow"][:], flow)
        assert set(file["v_1"]) == {"i3d_features", "times"}
    other = SaveHDF5(folder=str(tmp_path), keys=["rgb"])
    with pytest.raises(UsageError, match="holds features made with keys="):
        other.prepare(SETTINGS, [], {"rgb": np.dtype(np.float32)}, False)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rgb": "x", "flow": "x"}, "two arrays would have one name"),
        ({"rgb": "x", "flow": "x/y"}, "two arrays would have one name"),
        ({"rgb": "times"}, "or that of the times"),
        ({"rgb": "/x"}, "must be a list of keys"),
        ({"rgb": "x//y"}, "must be a list of keys"),
        ([], "must be a list of keys"),
        ("rgb", "must be a list of keys"),
        (5, "must be a list of keys"),
    ],
)
def test_keys_that_make_no_file_are_refused(keys: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        SaveHDF5(folder=str(tmp_path), keys=keys)  # type: ignore[arg-type]


def test_an_array_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no array depth; there are: vggish"):
        SaveHDF5(folder=str(tmp_path), keys=["depth"]).prepare(SETTINGS, [], FLOATS, False)


@pytest.mark.parametrize("damage", ["half", "garbage", "another file"])
def test_damaged_file_is_named(damage: str, tmp_path: Path) -> None:
    sink = SaveHDF5(folder=str(tmp_path))
    run(sink, *(features(f"{number}", 30) for number in range(30)))
    file = tmp_path / "features.h5"
    if damage == "half":
        os.truncate(file, file.stat().st_size // 2)
    else:
        file.write_bytes(b"x" * 5000 if damage == "garbage" else b"")
    with pytest.raises(UsageError, match=r"features\.h5: damaged, or not an HDF5 file; delete it or move it away"):
        SaveHDF5(folder=str(tmp_path)).prepare(SETTINGS, [], FLOATS, False)


def test_a_url_and_a_missing_library_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="needs a local folder; on_extraction=save_table and save_webdataset write"):
        SaveHDF5(folder="memory://x").prepare(SETTINGS, [], FLOATS, False)
    monkeypatch.setattr("torch_zoo.utils.extras.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'^h5py is missing: pip install "torch-zoo\[hdf5\]"$'):
        SaveHDF5(folder=str(tmp_path)).prepare(SETTINGS, [], FLOATS, False)
