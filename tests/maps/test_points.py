"""Projections match independent implementations; the audio of a point is that of its window."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import command
import numpy as np
import pytest
import soundfile

from torch_zoo.utils.maps.points import pca, read_points
from torch_zoo.utils.maps.sounds import excerpt
from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.types import Features, MediaError, Source, UsageError


def table(folder: Path, vectors: np.ndarray, names: str = "ab", second: bool = False) -> Path:
    sink = SaveTable(folder=str(folder))
    times = np.stack([np.arange(len(vectors)), np.arange(len(vectors)) + 1.0], axis=1)
    for name in names:
        arrays = {"rgb": vectors, "flow": vectors[:, ::-1]} if second else {"vggish": vectors}
        sink.write(Features(Source(f"{name}.mp3", name), arrays, times))
    sink.finish()
    return Path(sink.destination)


def run(module: str, *arguments: object, without: str = "") -> subprocess.CompletedProcess[str]:
    """`python -m torch_zoo.utils.maps.<module>`, as if the package `without` was not installed."""
    start = f"import sys, runpy; sys.modules[{without!r}] = None; " if without else "import runpy; "
    code = f"{start}runpy.run_module('torch_zoo.utils.maps.{module}', run_name='__main__', alter_sys=True)"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=command.ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},  # compiling UMAP takes longer than running it here
        capture_output=True,
        text=True,
    )


def test_pca_equals_scikit_learns() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32) * np.arange(1, 9)
    expected = decomposition.PCA(2).fit_transform(vectors.astype(np.float64))
    found = pca(vectors)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-5, atol=1e-6)


def test_pca_of_one_dimension_is_a_line() -> None:
    np.testing.assert_allclose(pca(np.array([[1.0], [2.0], [6.0]])), [[-2, 0], [-1, 0], [3, 0]])


def test_points_are_the_rows_of_the_table(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).integers(0, 256, size=(3, 5), dtype=np.uint8)
    points = read_points(table(tmp_path, vectors))
    assert (points.names, points.paths) == (["a"] * 3 + ["b"] * 3, ["a.mp3"] * 3 + ["b.mp3"] * 3)
    np.testing.assert_array_equal(points.times, [[0, 1], [1, 2], [2, 3]] * 2)
    np.testing.assert_allclose(points.positions, pca(np.concatenate([vectors, vectors])))


def test_column_is_selected_by_name(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(4, 5))
    vectors[:, 4] *= 9
    path = table(tmp_path, vectors, second=True)
    np.testing.assert_allclose(
        np.abs(read_points(path).positions), np.abs(read_points(path, column="flow").positions), atol=1e-9
    )
    with pytest.raises(UsageError, match="no column of vectors named 'depth'; available: rgb, flow"):
        read_points(path, column="depth")


def test_unsuitable_table_is_reported(tmp_path: Path) -> None:
    path = table(tmp_path, np.ones((1, 4)))
    with pytest.raises(UsageError, match="has 2 rows; a map needs three or more"):
        read_points(path)
    with pytest.raises(UsageError, match=r"none\.parquet does not exist"):
        read_points(tmp_path / "none.parquet")


@pytest.mark.parametrize(
    ("start", "end", "seconds", "length"), [(1.92, 2.88, 10, 0.96), (2, 9, 1.5, 1.5)], ids=["window", "cut"]
)
def test_excerpt_is_the_window_of_the_file(start: float, end: float, seconds: float, length: float) -> None:
    path = command.ROOT / "sample" / "speech.mp4"
    sound, rate = soundfile.read(io.BytesIO(excerpt(str(path), start, end, seconds)))
    assert sound.ndim == 1
    assert len(sound) / rate == pytest.approx(length, abs=0.001)
    assert np.abs(sound).max() > 0.01
    with pytest.raises(MediaError):
        excerpt("none.mp4", 0, 1, 10)


@pytest.mark.parametrize("projection", ["pca", "umap"])
def test_image_of_a_map(projection: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    if projection == "umap":
        pytest.importorskip("umap")
    from PIL import Image

    path = table(tmp_path, np.random.default_rng(0).normal(size=(9, 5)))
    ran = run("picture", path, tmp_path / "new" / "map.png", "--projection", projection)
    assert ran.returncode == 0, ran.stderr
    picture = np.asarray(Image.open(tmp_path / "new" / "map.png").convert("HSV"))
    assert (picture[:, :, 1] > 100).sum() > 500  # colored dots


@pytest.mark.parametrize(("module", "without"), [("picture", "matplotlib"), ("atlas", "embedding_atlas")])
def test_a_missing_extra_is_reported_in_one_line(module: str, without: str, tmp_path: Path) -> None:
    path = table(tmp_path, np.random.default_rng(0).normal(size=(3, 5)))
    ran = run(module, path, *([tmp_path / "map.png"] if module == "picture" else []), without=without)
    assert ran.returncode == 2
    assert 'install the extra "map"' in ran.stderr
    assert ran.stderr.count("\n") == 1
