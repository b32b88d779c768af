"""The smoke test: Google's signals, and a verdict."""

from __future__ import annotations

import numpy as np
import pytest

from torch_zoo.models.vggish import smoke_test
from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.models.vggish.smoke_test import GENERATIONS, main
from torch_zoo.models.vggish.weights import PCA_PARAMS, WEIGHTS


def test_the_newest_signal_gives_the_published_log_mel(golden):
    signal = GENERATIONS[-1].sine()
    data = np.concatenate([part.data for part in VGGishExtractor().windows_of([signal], 16_000)])
    with np.load(golden / "vggish_smoke_sine_logmel.npz") as metadata:
        np.testing.assert_allclose(data[:, 0], metadata["logmel_16k_arange"], rtol=0, atol=1e-5)


def test_older_signals_have_their_last_sample_at_three_seconds():
    assert len(GENERATIONS[0].sine()) == 132_300
    np.testing.assert_allclose(GENERATIONS[0].sine(), np.sin(2 * np.pi * 1000 * np.linspace(0, 3, 132_300)), atol=1e-12)
    np.testing.assert_allclose(GENERATIONS[2].sine(), np.sin(2 * np.pi * 1000 * np.arange(0, 3, 1 / 16_000)), atol=1e-9)


def test_random_weights_give_no_verdict(capsys):
    assert main(["--checkpoint", "random"]) == 0
    printed = capsys.readouterr().out
    assert "proves nothing about values" in printed
    assert "PASSED" not in printed
    assert printed.count("embedding, mean") == 3


def test_other_weights_fail(formula_checkpoint, golden, capsys):
    assert main(["--checkpoint", str(formula_checkpoint), "--pca-params", str(golden / "vggish_pca_params.npz")]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_published_values_pass(monkeypatch, golden, capsys):
    """Fake embeddings with each generation's mean and deviation pass."""

    def published(_, sample_rate, activation, **others):
        generation = next(
            each for each in GENERATIONS if (each.sample_rate, each.activation) == (sample_rate, activation)
        )
        mean, deviation = generation.embedding
        return np.array([[mean - deviation, mean + deviation]] * 3)

    monkeypatch.setattr(smoke_test, "embed", published)
    results = list(smoke_test.compare("pretrained", None))
    assert len(results) == 6
    assert all(each.agrees for each in results)
    off = smoke_test.Comparison("", "", 100.0, 110.1)
    assert not off.agrees


def test_missing_weights_are_reported_in_one_line(capsys):
    assert main(["--checkpoint", "no/such.pth", "--pca-params", "no/such.npz"]) == 2
    assert capsys.readouterr().err.startswith("error: --pca-params=no/such.npz")


@pytest.mark.pretrained
@pytest.mark.skipif(
    not (WEIGHTS.cached.exists() and PCA_PARAMS.cached.exists()), reason="no pretrained weights in the cache"
)
def test_pretrained_weights_pass(capsys):
    assert main([]) == 0
    assert "PASSED" in capsys.readouterr().out
