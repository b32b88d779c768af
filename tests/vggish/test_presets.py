"""Each preset reproduces its published procedure on golden inputs and weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import rounding
from hydra import compose, initialize_config_dir

from torch_zoo.models.vggish.extractor import KEY, VGGishExtractor
from torch_zoo.models.vggish.postprocess import load_pca
from torch_zoo.models.vggish.weights import WEIGHTS
from torch_zoo.utils import options
from torch_zoo.utils.terminal.catalogue import CONFIGS
from torch_zoo.utils.types import Source

pytestmark = pytest.mark.numerical


def extractor(preset: str, *overrides: str, **given: Any) -> VGGishExtractor:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("config", ["feature_type=vggish", f"preset={preset}", *overrides])
    return options.build(VGGishExtractor, {**config, **given})


@pytest.fixture(scope="module")
def features(formula_checkpoint, golden):
    """Features of the golden examples for a preset and further options."""
    n, f, b = np.ogrid[:3, :96, :64]
    examples = (1.5 * np.sin(0.21 * f + 0.09 * b + n) + np.cos(0.05 * f - 0.33 * b + 2 * n) - 1).astype(np.float32)

    def of(preset: str, *overrides: str) -> np.ndarray:
        chosen = extractor(preset, *overrides, checkpoint=str(formula_checkpoint))
        if chosen.postprocess != "none":
            chosen = replace(chosen, pca_params=str(golden / "vggish_pca_params.npz"))
        [stage] = chosen.load("cpu", 1)
        outputs = stage.forward(examples[:, None])()
        return chosen.features(Source("x", "x"), outputs, np.zeros((3, 2))).arrays[KEY]

    return of


@pytest.fixture(scope="module")
def embeddings(golden):
    with np.load(golden / "golden_vggish.npz") as metadata:
        return dict(metadata)


def eight_bit(embedding: np.ndarray, golden) -> np.ndarray:
    """Google's formula before its rounding, in float64."""
    with np.load(golden / "vggish_pca_params.npz") as params:
        projected = (params["pca_eigen_vectors"] @ (embedding.T - params["pca_means"][:, None])).T
    return (np.clip(projected, -2, 2) + 2) * 255 / 4


def equal_levels(ours: np.ndarray, exact: np.ndarray, rounding: Any) -> None:
    """Equal where float32's error, whitened, can't lead over an edge; within one level there."""
    assert ours.dtype == np.uint8
    levels = rounding(exact)
    near_edge = np.abs(exact - np.round(exact * 2) / 2) < 0.1
    np.testing.assert_array_equal(ours[~near_edge], levels[~near_edge])
    assert np.abs(ours.astype(int) - levels).max() <= 1


def test_video_features(features, embeddings):
    ours = features("video_features")
    assert rounding.error(ours, embeddings["embedding_relu"]) < 2 * rounding.VGGISH  # both are rounded
    assert ours.min() == 0


def test_google(features, embeddings):
    assert rounding.error(features("google"), embeddings["embedding_prerelu"]) < 2 * rounding.VGGISH


def test_audioset(features, embeddings, golden):
    equal_levels(features("audioset"), eight_bit(embeddings["embedding_prerelu"], golden), np.floor)


def test_torchvggish(features, embeddings, golden):
    equal_levels(features("torchvggish"), eight_bit(embeddings["embedding_relu"], golden), np.round)


def test_without_a_preset_it_is_video_features():
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        plain = options.build(VGGishExtractor, compose("config", ["feature_type=vggish"]))
    assert plain == extractor("video_features") == VGGishExtractor()


def test_options_of_a_preset_can_be_overridden(features, embeddings, golden):
    assert extractor("audioset", "activation=relu").activation == "relu"
    assert extractor("google", "postprocess=pca").postprocess == "pca"
    np.testing.assert_allclose(
        features("audioset", "postprocess=pca", "activation=relu"),
        load_pca(golden / "vggish_pca_params.npz").apply(embeddings["embedding_relu"], "pca"),
        rtol=0,
        atol=5e-3,
    )


@pytest.mark.pretrained
@pytest.mark.skipif(not WEIGHTS.cached.exists(), reason="the pretrained weights are not in torch's hub cache")
def test_pretrained_weights_give_the_published_embeddings_and_their_8_bit_values(golden):
    """From the golden log-mel, so that no other decoder's rounding comes in."""
    pca = {"pca_params": str(golden / "vggish_pca_params.npz")}
    with np.load(golden / "frontend_v_GGSY1Qvo990.npz") as metadata:
        examples = metadata["examples_022"].astype(np.float32)[:, None]
    with np.load(golden / "vggish_pca_quantized.npz") as metadata:
        for postprocess, key, given in (("none", "embedding_relu", {}), ("pca_8bit", "quantized_floor_uint8", pca)):
            chosen = extractor("video_features", f"postprocess={postprocess}", **given)
            [stage] = chosen.load("cpu", 2)
            outputs = stage.forward(examples)()
            ours = chosen.features(Source("x", "x"), outputs, np.zeros((18, 2))).arrays[KEY]
            if postprocess == "none":
                np.testing.assert_allclose(ours, metadata[key], rtol=0, atol=2e-5)
            else:
                assert np.abs(ours.astype(int) - metadata[key]).max() <= 1
                assert (ours == metadata[key]).mean() > 0.98
