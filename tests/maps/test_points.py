"""Points of a map: projections, groups and neighbors match independent implementations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from map_tables import table

from torch_zoo.utils.maps import neighbors
from torch_zoo.utils.maps.groups import group
from torch_zoo.utils.maps.neighbors import nearest
from torch_zoo.utils.maps.points import read_points
from torch_zoo.utils.maps.projections import pca, tsne
from torch_zoo.utils.maps.rows import Rows, read_rows
from torch_zoo.utils.types import UsageError


def rows_of(vectors: np.ndarray, paths: Sequence[str] | None = None, **listed: list[str]) -> Rows:
    number = len(vectors)
    return Rows(
        names=[f"s{row}" for row in range(number)],
        paths=list(paths or ["a.mp3"] * number),
        times=np.zeros((number, 2)),
        listed=listed,
        vectors=vectors,
        features="vggish",
        of_frames=False,
    )


def blobs(number: int = 3, each: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around orthogonal directions, of any length, and which direction each has."""
    generator = np.random.default_rng(0)
    of_rows = np.repeat(np.arange(number), each)
    directions = np.eye(8)[of_rows] + generator.normal(0, 0.02, (len(of_rows), 8))
    return (directions * generator.uniform(1, 9, (len(of_rows), 1))).astype(np.float32), of_rows


def test_pca_equals_scikit_learns() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32) * np.arange(1, 9)
    theirs = decomposition.PCA(2)
    expected = theirs.fit_transform(vectors.astype(np.float64))
    found = pca(vectors)
    np.testing.assert_allclose(np.abs(found.positions), np.abs(expected), rtol=1e-5, atol=1e-6)
    for number, (axis, share) in enumerate(zip(found.axes, theirs.explained_variance_ratio_, strict=True), 1):
        assert axis == f"principal component {number} ({share:.0%} of variance)"


def test_pca_of_one_dimension_is_a_line() -> None:
    found = pca(np.array([[1.0], [2.0], [6.0]]))
    np.testing.assert_allclose(found.positions, [[-2, 0], [-1, 0], [3, 0]])
    assert "(100% of variance)" in found.axes[0] and "(0% of variance)" in found.axes[1]


def test_tsne_keeps_similar_vectors_together() -> None:
    pytest.importorskip("sklearn")
    vectors, of_rows = blobs()
    positions = tsne(vectors).positions
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(of_rows[distances.argmin(axis=1)], of_rows)


def test_points_are_the_rows_of_the_table(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).integers(0, 256, size=(3, 5), dtype=np.uint8)
    points = read_points([str(table(tmp_path / "vggish", vectors))])
    rows = points.rows
    assert (rows.names, rows.paths) == (["a"] * 3 + ["b"] * 3, ["a.mp3"] * 3 + ["b.mp3"] * 3)
    np.testing.assert_array_equal(rows.times, [[0, 1], [1, 2], [2, 3]] * 2)
    np.testing.assert_allclose(points.plane.positions, pca(np.concatenate([vectors, vectors])).positions)
    assert points.title == "vggish (random, seed 0): 6 rows of 2 sources, colored by source"
    assert not rows.of_frames


def test_shards_are_read_as_one_table(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    one = read_rows([str(table(tmp_path / "one" / "vggish", vectors, "abc"))])
    table(tmp_path / "many" / "vggish", vectors, "abc", rows_per_file=4, listed={"b": {"label": "dog"}})
    folder = tmp_path / "many" / "vggish"
    files = sorted(map(str, folder.glob("*.parquet")))
    assert len(files) == 3
    for tables in ([str(folder)], files):
        many = read_rows(tables)
        assert (many.names, many.features) == (one.names, one.features)
        np.testing.assert_array_equal(many.vectors, one.vectors)
        assert many.listed == {"label": [""] * 4 + ["dog"] * 4 + [""] * 4}


def test_column_is_selected_by_name(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(4, 5))
    settings = {"checkpoint": {"rgb": "one", "flow": "two"}, "color_matrix": "tagged"}
    path = str(table(tmp_path / "i3d", vectors, second=True, settings=settings))
    rgb, flow = read_rows([path]), read_rows([path], "flow")
    np.testing.assert_array_equal(rgb.vectors, flow.vectors[:, ::-1])
    assert (rgb.features, flow.features) == ("i3d rgb (one)", "i3d flow (two)")
    assert rgb.of_frames
    with pytest.raises(UsageError, match="no column of vectors named 'depth'; available: rgb, flow"):
        read_rows([path], "depth")


def test_unsuitable_tables_are_reported(tmp_path: Path) -> None:
    path = str(table(tmp_path / "short", np.ones((1, 4))))
    with pytest.raises(UsageError, match="has 2 rows; a map needs 3 or more"):
        read_rows([path])
    with pytest.raises(UsageError, match=r"none\.parquet does not exist"):
        read_rows([str(tmp_path / "none.parquet")])
    with pytest.raises(UsageError, match=r"neither a \.parquet file nor a folder of them"):
        read_rows([str(tmp_path / "nothing")])
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "._embeddings.parquet").touch()
    with pytest.raises(UsageError, match=r"neither a \.parquet file nor a folder of them"):
        read_rows([str(tmp_path / "hidden")])
    wider = str(table(tmp_path / "wide", np.ones((3, 5))))
    with pytest.raises(UsageError, match=r"wide.*: embedding is fixed_size_list.*\[5\], but .*\[4\] in .*short"):
        read_rows([path, wider])
    other = str(table(tmp_path / "other", np.ones((1, 4)), settings={"checkpoint": "random, seed 1"}))
    with pytest.raises(UsageError, match=r"other.*: other weights than those of .*short"):
        read_rows([path, other])


def test_groups_are_those_of_label_folder_and_name() -> None:
    vectors = np.zeros((4, 2))
    paths = ["x/a.mp4", "/y/b.mp4", "y/c.mp4", "s3://bucket/z/d.mp4"]
    rows = rows_of(vectors, paths, label=["dog", "", "cat", "cat"], split=["test"] * 4)
    assert group(rows).of_rows == ["dog", "not listed", "cat", "cat"]
    assert group(rows).names == ["cat", "dog", "not listed"]
    assert group(rows, "folder").of_rows == group(rows_of(vectors, paths)).of_rows == ["x", "y", "y", "z"]
    assert group(rows, "name").of_rows == group(rows_of(vectors)).of_rows == ["s0", "s1", "s2", "s3"]
    assert group(rows, "split").by == "split"
    with pytest.raises(UsageError, match="no such column; available: name, folder, cluster, label, split"):
        group(rows, "labels")


@pytest.mark.parametrize("clusters", [None, 3])
def test_clusters_are_groups_of_directions(clusters: int | None) -> None:
    pytest.importorskip("sklearn")
    vectors, of_rows = blobs()
    if clusters is None:
        vectors = np.concatenate([vectors, np.full((1, 8), -1.0, np.float32)])
    found = group(rows_of(vectors), "cluster", clusters)
    assert found.by == ("cluster (HDBSCAN, 3 found)" if clusters is None else "cluster (k-means, k = 3)")
    assert len(set(found.of_rows[:60])) == 3
    assert len(set(zip(found.of_rows, of_rows.tolist(), strict=False))) == 3
    assert found.of_rows[60:] == ["no cluster"] * (clusters is None)


def test_a_wrong_number_of_clusters_is_reported() -> None:
    pytest.importorskip("sklearn")
    rows = rows_of(np.eye(4))
    for clusters in (0, 5):
        with pytest.raises(UsageError, match=f"--clusters {clusters}: must be from 1 to 4"):
            group(rows, "cluster", clusters)
    with pytest.raises(UsageError, match="--clusters 2: for --color-by cluster only, not name"):
        group(rows, "name", 2)


def test_nearest_rows_have_the_largest_cosines() -> None:
    pytest.importorskip("sklearn")
    vectors = np.random.default_rng(0).normal(size=(30, 6))
    vectors[4] = 3 * vectors[7]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    expected = -np.sort(-cosines, axis=1)[:, :5]
    rows, found = nearest(vectors, 5)
    np.testing.assert_allclose(found, expected, atol=1e-6)  # float32's epsilon x 8
    np.testing.assert_allclose(np.take_along_axis(cosines, rows, 1), expected, atol=1e-6)
    assert rows[4, 0] == 7 and found[4, 0] == pytest.approx(1, abs=1e-6)


def test_no_row_is_its_own_neighbor() -> None:
    pytest.importorskip("sklearn")
    for vectors in (np.ones((20, 4)), np.zeros((20, 4))):
        rows, _ = nearest(vectors, 3)
        assert rows.shape == (20, 3)
        assert not (rows == np.arange(20)[:, None]).any()


def test_neighbors_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    path = str(table(tmp_path, np.array([[1.0, 0], [0, 1], [1, 1]])))
    assert neighbors.main([path, "a", "--at", "2", "--number", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1.0000  b  2 to 3 s"
    assert [line.split()[0] for line in lines[1:]] == ["0.7071"] * 2
    for options, message in (
        (["c"], "no source called c"),
        (["a", "--at", "3"], "--at 3: a has rows from 0 to 3 s only"),
        (["a", "--number", "0"], "--number 0: must be 1 or more"),
    ):
        assert neighbors.main([path, *options]) == 2
        assert message in capsys.readouterr().err
