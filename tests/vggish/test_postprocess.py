"""Google's PCA and exact 8-bit values, pooling, normalization, and invalid PCA files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from torch_zoo.models.vggish.extractor import KEY, VGGishExtractor
from torch_zoo.models.vggish.postprocess import WIDTH, load_pca, normalized, pool
from torch_zoo.utils.types import Source, UsageError

SOURCE = Source("clip.mp4", "clip")


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((7, WIDTH)).astype(np.float32)


@pytest.fixture
def random_pca(tmp_path: Path) -> Path:
    random = np.random.default_rng(4)
    path = tmp_path / "pca.npz"
    np.savez(path, pca_eigen_vectors=random.standard_normal((WIDTH, WIDTH)), pca_means=random.standard_normal(WIDTH))
    return path


@pytest.mark.parametrize(
    ("postprocess", "key", "dtype"),
    [
        ("pca", "pca_float", np.float32),
        ("pca_8bit", "quantized_floor_uint8", np.uint8),
        ("pca_8bit_rounded", "quantized_round", np.uint8),
    ],
)
def test_published_pca_of_the_published_embeddings(postprocess, key, dtype, golden):
    pca = load_pca(golden / "vggish_pca_params.npz")
    with np.load(golden / "vggish_pca_quantized.npz") as metadata:
        ours = pca.apply(metadata["embedding_relu"], postprocess)
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, metadata[key], rtol=1e-6, atol=0)  # integers are equal


def test_zero_embedding_gives_the_published_row(golden):
    pca = load_pca(golden / "vggish_pca_params.npz")
    with np.load(golden / "vggish_pca_quantized.npz") as metadata:
        zero = pca.apply(np.zeros((1, WIDTH), np.float32), "pca_8bit")
        np.testing.assert_array_equal(zero, metadata["zero_embedding_floor_uint8"])


def test_torchvggishs_parameter_file_gives_the_same(random_pca, rows, tmp_path):
    arrays = np.load(random_pca)
    path = tmp_path / "pca.pth"
    torch.save({name: torch.from_numpy(arrays[name]) for name in arrays.files}, path)
    np.testing.assert_array_equal(load_pca(path).project(rows), load_pca(random_pca).project(rows))


def test_torchvggishs_postprocessor_gives_the_same_integers(random_pca, rows, monkeypatch):
    torchvggish = pytest.importorskip("torchvggish")
    pca = load_pca(random_pca)
    arrays = {"pca_eigen_vectors": pca.vectors, "pca_means": pca.means[:, None]}
    downloaded = {name: torch.from_numpy(array).float() for name, array in arrays.items()}
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: downloaded)
    peer = torchvggish.Postprocessor()
    theirs = peer.postprocess(torch.from_numpy(rows)).numpy()
    ours = pca.apply(rows, "pca_8bit_rounded").astype(np.float32)
    assert (theirs != ours).mean() < 0.005  # float32 there, so a value at .5 may fall to the other side
    np.testing.assert_allclose(ours, theirs, atol=1.0)


def broken(path: Path, **changes: np.ndarray | None) -> Path:
    arrays = {"pca_eigen_vectors": np.eye(WIDTH), "pca_means": np.zeros(WIDTH)} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pca_eigen_vectors": np.eye(64)}, r"pca_eigen_vectors is \(64, 64\) instead of \(128, 128\)"),
        ({"pca_means": np.zeros(127)}, r"pca_means is \(127,\) instead of \(128,\)"),
        ({"pca_means": None}, "has no pca_means"),
    ],
)
def test_another_file_is_refused_when_the_network_is_loaded(changes, message, tmp_path):
    path = broken(tmp_path / "wrong.npz", **changes)
    extractor = VGGishExtractor(checkpoint="random", postprocess="pca", pca_params=str(path))
    with pytest.raises(UsageError, match=message):
        extractor.load("cpu", 1)


@pytest.mark.parametrize("content", [b"", b"not a file of arrays", b"PK\x05\x06" + bytes(18)])
def test_unreadable_file_is_refused(content, tmp_path):
    path = tmp_path / "wrong.npz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"wrong\.npz"):
        load_pca(path)


def test_an_array_of_gigabytes_is_refused_by_its_header(tmp_path):
    path = tmp_path / "bomb.npz"
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 20, 640)}  # 5 GB
    with zipfile.ZipFile(path, "w") as file:
        for name in ("pca_eigen_vectors.npy", "pca_means.npy"):
            with file.open(name, "w") as member:
                np.lib.format.write_array_header_1_0(member, header)
    with pytest.raises(UsageError, match=r"pca_eigen_vectors is \(1048576, 640\) instead of \(128, 128\)"):
        load_pca(path)


def test_parameters_without_postprocess_are_refused(random_pca):
    with pytest.raises(UsageError, match=r"pca_params=.*pca\.npz does nothing without postprocess"):
        VGGishExtractor(pca_params=str(random_pca))


def test_missing_file_is_named_before_any_work():
    with pytest.raises(UsageError, match=r"pca_params=no/such\.npz: no such file"):
        _ = VGGishExtractor(checkpoint="random", postprocess="pca", pca_params="no/such.npz").settings


@pytest.mark.parametrize("postprocess", ["pca_8bit", "pca_8bit_rounded"])
def test_8_bit_embeddings_cannot_be_normalized(postprocess):
    with pytest.raises(UsageError, match="normalize=true: 8-bit rows can't be L2-normalized"):
        VGGishExtractor(postprocess=postprocess, normalize=True)


@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
def test_pooling_equals_numpys(pooling, rows):
    expected = {"mean": np.mean, "sum": np.sum, "max": np.max}[pooling](rows, axis=0)
    np.testing.assert_allclose(pool(rows, pooling), expected[None], rtol=1e-5, atol=1e-6)


def test_rows_are_normalized_and_zeros_stay_zeros(rows):
    rows[2] = 0
    lengths = np.linalg.norm(normalized(rows), axis=1)
    np.testing.assert_allclose(lengths, [1, 1, 0, 1, 1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(normalized(rows)[0] * np.linalg.norm(rows[0]), rows[0], rtol=1e-5)


@pytest.mark.parametrize("postprocess", ["none", "pca", "pca_8bit", "pca_8bit_rounded"])
@pytest.mark.parametrize("pooling", [None, "mean", "sum", "max"])
@pytest.mark.parametrize("windows", [0, 1, 7])
def test_types_and_shapes_are_as_announced(postprocess, pooling, windows, random_pca, rows):
    pca_params = "pretrained" if postprocess == "none" else str(random_pca)
    extractor = VGGishExtractor(postprocess=postprocess, pooling=pooling, pca_params=pca_params)
    spans = 0.96 * np.arange(windows)[:, None] + [0, 0.96]
    features = extractor.features(SOURCE, {KEY: rows[:windows]} if windows else {}, spans)
    count = min(windows, 1) if pooling else windows
    assert features.arrays[KEY].shape == (count, WIDTH)
    assert features.arrays[KEY].dtype == extractor.arrays[KEY].base
    assert features.times.shape == (count, 2)
    if windows:
        assert (features.times[0, 0], features.times[-1, 1]) == (spans[0, 0], spans[-1, 1])


def test_pca_then_pooling_then_normalization(random_pca, rows):
    extractor = VGGishExtractor(postprocess="pca", pooling="mean", normalize=True, pca_params=str(random_pca))
    mean = load_pca(random_pca).project(rows).mean(axis=0)
    ours = extractor.features(SOURCE, {KEY: rows}, np.zeros((7, 2))).arrays[KEY]
    np.testing.assert_allclose(ours[0], mean / np.linalg.norm(mean), rtol=1e-5, atol=1e-7)


def test_settings_cover_all_that_affects_the_values(random_pca, tmp_path):
    def settings(**options: object) -> dict[str, object]:
        return dict(VGGishExtractor(checkpoint="random", **options).settings)

    pca = settings(postprocess="pca", pca_params=str(random_pca))
    copy = tmp_path / "copy.npz"
    copy.write_bytes(random_pca.read_bytes())
    other = broken(tmp_path / "other.npz")
    assert settings(postprocess="pca", pca_params=str(copy)) == pca
    assert settings(postprocess="pca", pca_params=str(other)) != pca
    assert len({str(each) for each in (settings(), pca, settings(pooling="max"), settings(normalize=True))}) == 4
