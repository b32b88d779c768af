"""The front end equals scipy.signal.spectrogram, which the published loader calls, and the golden numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import soundfile

from torch_zoo.models.vggsound.spectrogram import (
    SAMPLE_RATE,
    log_spectrogram,
    normalized,
    normalized_log_spectrogram,
    num_segments,
    tukey,
)

TEN_SECONDS = 160_000  # samples


def theirs(samples: np.ndarray) -> np.ndarray:
    """The published loader's log spectrogram."""
    _, _, density = scipy.signal.spectrogram(samples, SAMPLE_RATE, nperseg=512, noverlap=353)
    return np.log(density + 1e-7)


def noise(samples: int, scale: float = 0.2) -> np.ndarray:
    return scale * np.random.default_rng(samples).uniform(-1, 1, samples)


def test_the_window_is_scipys():
    np.testing.assert_allclose(tukey(), scipy.signal.get_window(("tukey", 0.25), 512), rtol=0, atol=1e-15)
    assert (tukey() ** 2).sum() == pytest.approx(432.0, abs=1e-12)


@pytest.mark.numerical
@pytest.mark.parametrize("samples", [512, 670, 671, 16_000, TEN_SECONDS])
@pytest.mark.parametrize("offset", [0.0, 0.7])
def test_log_spectrogram_equals_scipys(samples, offset):
    sound = np.clip(noise(samples) + offset, -1, 1)
    ours, expected = log_spectrogram(sound), theirs(sound)
    assert ours.shape == expected.shape == (257, num_segments(samples))
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-10)


def test_ten_seconds_make_1004_columns():
    assert num_segments(TEN_SECONDS) == 1004


@pytest.mark.numerical
def test_the_published_example_matches_the_golden_numbers(vggsound_example, golden):
    samples, rate = soundfile.read(vggsound_example)
    ours = log_spectrogram(np.resize(samples, TEN_SECONDS))
    assert rate == SAMPLE_RATE
    with np.load(golden / "preproc_vggsound_example.npz") as expected:
        np.testing.assert_allclose(ours[:, :8], expected["log_first8_frames"], rtol=0, atol=1e-12)
        np.testing.assert_allclose([ours.mean(), ours.std()], [expected["mean"], expected["std"]], rtol=0, atol=1e-12)
        # which are float32
        np.testing.assert_allclose(normalized(ours)[::8, ::8], expected["normalized_sub8"], rtol=0, atol=5e-7)


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence_is_finite_and_almost_zero(level):
    ours = normalized_log_spectrogram(np.full(TEN_SECONDS, level))
    assert ours.dtype == np.float32
    assert np.abs(ours).max() < 1e-3


def test_a_window_is_normalized_as_a_whole():
    ours = normalized(log_spectrogram(noise(TEN_SECONDS)))
    assert ours.mean() == pytest.approx(0, abs=1e-12)
    assert ours.std() == pytest.approx(1, abs=1e-8)
