"""Training data of VGGish's classifier: synthetic signals, and the windows of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from media_maker import noise_and_tone

from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.models.vggish.tasks import Synthetic, examples_of, signals
from torch_zoo.utils.types import MediaError

RATE = 16_000
RANDOM = VGGishExtractor(checkpoint="random")


def wav(path: Path, seconds: float) -> Path:
    soundfile.write(path, noise_and_tone(seconds, RATE, 1), RATE)
    return path


def test_synthetic_signals_are_a_sine_a_ramp_and_noise():
    for seed in range(5):
        sine, ramp, noise = signals(np.random.default_rng(seed))
        assert sine.shape == ramp.shape == noise.shape == (5 * 44_100,)
        strongest = np.abs(np.fft.rfft(sine)).argmax() / 5
        assert 100 <= strongest <= 1000
        assert np.abs(sine).max() == pytest.approx(1, abs=1e-3)
        np.testing.assert_allclose(np.diff(ramp), ramp[-1] / (len(ramp) - 1), atol=1e-12)
        assert ramp[0] == 0
        assert abs(ramp[-1]) < 5
        assert noise.mean() == pytest.approx(-1, abs=0.02)
        assert noise.std() == pytest.approx(1, abs=0.02)


def test_a_synthetic_batch_has_five_new_examples_per_class_in_random_order():
    batches = Synthetic(seed=0).epoch(np.random.default_rng(0))
    one, two = next(batches), next(batches)
    for batch in (one, two):
        assert batch.inputs.shape == (15, 1, 96, 64)
        assert batch.inputs.dtype == np.float32
        np.testing.assert_array_equal(np.bincount(batch.labels), [5, 5, 5])
        assert (np.diff(batch.labels) < 0).any()
    assert not np.array_equal(np.sort(one.inputs.ravel()), np.sort(two.inputs.ravel()))
    energy = [one.inputs[one.labels == index].mean() for index in range(3)]
    assert energy[2] == max(energy)  # noise fills all bands: labels follow their examples


def test_a_file_gives_one_example_per_window(tmp_path):
    examples = examples_of(wav(tmp_path / "sound.wav", 3.0), RANDOM)
    assert (examples.shape, examples.dtype) == ((3, 1, 96, 64), np.float32)


def test_a_clip_that_is_too_short_has_no_examples(tmp_path):
    with pytest.raises(MediaError, match="shorter than one window"):
        examples_of(wav(tmp_path / "short.wav", 0.5), RANDOM)
