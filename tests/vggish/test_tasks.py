"""The sounds a classifier learns from: synthetic signals, and a person's folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from media_maker import noise_and_tone, write_media

from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.models.vggish.tasks import Folder, Labelled, Synthetic, examples_of, joined, shuffled, signals
from torch_zoo.utils.types import MediaError, UsageError

RATE = 16_000
RANDOM = VGGishExtractor(checkpoint="random")


def wav(path: Path, seconds: float = 3.0, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise_and_tone(seconds, RATE, 1, seed), RATE)
    return path


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Two classes: three WAVs of 3 s and a film of 2 s; two WAVs of 2 s."""
    for number in range(3):
        wav(tmp_path / "dog" / f"{number}.wav", 3.0, number)
    write_media(tmp_path / "dog" / "film.mp4", noise_and_tone(2.0, 44100), 44100, "aac", picture="mpeg4")
    wav(tmp_path / "cat" / "deep" / "0.wav", 2.0, 3)
    wav(tmp_path / "cat" / "1.wav", 2.0, 4)
    (tmp_path / "cat" / "notes.txt").write_text("not a sound")
    return tmp_path


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


def test_a_synthetic_batch_has_five_fresh_examples_a_class_in_random_order():
    batches = Synthetic(seed=0).epoch(np.random.default_rng(0))
    one, two = next(batches), next(batches)
    for batch in (one, two):
        assert batch.inputs.shape == (15, 1, 96, 64)
        assert batch.inputs.dtype == batch.labels.dtype == np.float32
        np.testing.assert_array_equal(batch.labels.sum(axis=0), [5, 5, 5])
        assert (np.diff(batch.labels.argmax(1)) < 0).any()
    assert not np.array_equal(np.sort(one.inputs.ravel()), np.sort(two.inputs.ravel()))
    energy = [one.inputs[one.labels[:, index] == 1].mean() for index in range(3)]
    assert energy[2] == max(energy)  # noise fills all bands: labels follow their examples


def test_a_folder_is_split_by_file_within_each_class(sounds):
    task = Folder(sounds, RANDOM)
    assert task.classes == ("cat", "dog")
    training_set = joined(task.epoch(np.random.default_rng(0)))
    windows = len(training_set.labels) + len(task.validation.labels)
    assert windows == 2 * 2 + 3 * 3 + 2
    np.testing.assert_array_equal((training_set.labels.sum(0) > 0), [True, True])
    assert task.validation.labels.sum(0)[0] == 2  # a file of 2 s
    assert task.validation.labels.sum(0)[1] in (2, 3)
    for path in sorted(sounds.glob("*/*.wav")):
        its_windows = {window.tobytes() for window in examples_of(path, RANDOM)}
        where = [
            its_windows <= {window.tobytes() for window in part.inputs} for part in (training_set, task.validation)
        ]
        assert sorted(where) == [False, True]


def test_the_seed_decides_the_split(sounds):
    def validation(seed: int) -> bytes:
        return Folder(sounds, VGGishExtractor(checkpoint="random", seed=seed)).validation.inputs.tobytes()

    assert validation(0) == validation(0)
    assert len({validation(seed) for seed in range(8)}) > 1


def test_an_epoch_shows_every_example_once(sounds):
    task = Folder(sounds, RANDOM)
    one, two = (joined(task.epoch(np.random.default_rng(seed))).inputs for seed in range(2))
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(np.sort(one, axis=0), np.sort(two, axis=0))
    sizes = [len(batch.labels) for batch in shuffled(Labelled(np.zeros(32), np.zeros(32)), np.random.default_rng(0))]
    assert sizes == [15, 15, 2]


def test_files_without_a_window_are_left_out_with_a_warning(sounds, caplog):
    wav(sounds / "dog" / "short.wav", 0.5)
    silent = sounds / "cat" / "silent.mp4"
    write_media(silent, noise_and_tone(2.0, 44100), 44100, "", picture="mpeg4")
    windows = Folder(sounds, RANDOM)
    assert len(windows.validation.labels) in (4, 5)
    assert len(caplog.messages) == 2
    assert f"{sounds}/dog/short.wav: left out: shorter than one window of 0.96 s" in caplog.messages
    assert str(silent) in caplog.text


def test_a_folder_without_classes_is_refused(sounds):
    with pytest.raises(UsageError, match="at least two are needed"):
        Folder(sounds / "cat", RANDOM)
    with pytest.raises(UsageError, match="no such folder"):
        Folder(sounds / "bird", RANDOM)
    wav(sounds / "bird" / "one.wav")
    with pytest.raises(UsageError, match="bird: 1 usable files; a class needs two"):
        Folder(sounds, RANDOM).validation  # noqa: B018


def test_a_clip_that_is_too_short_has_no_examples(tmp_path):
    with pytest.raises(MediaError, match="shorter than one window"):
        examples_of(wav(tmp_path / "short.wav", 0.5), RANDOM)
