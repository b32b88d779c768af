"""The whole extractor: media in; windows, embeddings and their times out."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import soundfile
import yaml
from media_maker import noise_and_tone

from torch_zoo.models.vggish.extractor import KEY, VGGishExtractor
from torch_zoo.models.vggish.weights import WEIGHTS
from torch_zoo.utils.types import Source, UsageError

PCM_STEP = 2e-3  # log-mel: FFmpeg versions differ in 152 samples of the clip by one 16-bit step


def examples(extractor: VGGishExtractor, source: Source) -> tuple[np.ndarray, np.ndarray]:
    parts = list(extractor.windows(source))
    return (
        np.concatenate([np.zeros((0, 1, 96, 64), np.float32), *(part.data for part in parts)]),
        np.concatenate([np.zeros((0, 2)), *(part.times for part in parts)]),
    )


@pytest.fixture
def sound(tmp_path):
    """4 s of stereo WAV."""
    path = tmp_path / "sound.wav"
    soundfile.write(path, noise_and_tone(4.0, 44100), 44100)
    return path


@pytest.mark.parametrize(("resampler", "generation"), [("resampy_0_2", "022"), ("resampy", "043")])
def test_windows_of_the_sample_match_the_golden_examples(resampler, generation, shared_sample, golden):
    data, times = examples(VGGishExtractor(resampler=resampler), Source(str(shared_sample), "x"))
    with np.load(golden / "frontend_v_GGSY1Qvo990.npz") as metadata:
        np.testing.assert_allclose(data[:, 0], metadata[f"examples_{generation}"], rtol=0, atol=PCM_STEP)
    np.testing.assert_allclose(times[:, 0], 0.96 * np.arange(18), atol=1e-12)
    np.testing.assert_allclose(times[:, 1] - times[:, 0], 0.96, atol=1e-12)


def test_every_decoder_gives_the_same_windows(shared_sample):
    ours, program = (
        examples(VGGishExtractor(decoder=decoder), Source(str(shared_sample), "x"))[0] for decoder in ("pyav", "ffmpeg")
    )
    np.testing.assert_allclose(ours, program, rtol=0, atol=PCM_STEP)


def test_times_of_a_segment_count_from_the_start_of_the_file(sound):
    data, times = examples(VGGishExtractor(hop_seconds=0.48), Source(str(sound), "x", 1.0, 3.5))
    assert len(data) == 4  # 2.5 s hold 248 frames, a window 96, a hop 48
    np.testing.assert_allclose(times[:, 0], [1.0, 1.48, 1.96, 2.44], atol=1e-12)


def test_a_segment_gives_the_same_windows_as_a_trimmed_file(sound, tmp_path):
    samples, rate = soundfile.read(sound, dtype="int16")
    soundfile.write(tmp_path / "cut.wav", samples[rate : 3 * rate], rate)
    segment, _ = examples(VGGishExtractor(), Source(str(sound), "x", 1.0, 3.0))
    cut, _ = examples(VGGishExtractor(), Source(str(tmp_path / "cut.wav"), "x"))
    np.testing.assert_array_equal(segment, cut)


def test_the_last_window_is_dropped_or_padded(sound):
    assert len(examples(VGGishExtractor(), Source(str(sound), "x"))[0]) == 4
    assert len(examples(VGGishExtractor(last_window="pad"), Source(str(sound), "x"))[0]) == 5


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_a_source_shorter_than_a_window_is_empty(seconds, tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, noise_and_tone(seconds, 16_000), 16_000)
    source, extractor = Source(str(path), "short"), VGGishExtractor(keep_tmp_files=True, tmp_path=str(tmp_path / "tmp"))
    assert list(extractor.windows(source)) == []
    features = extractor.features(source, {}, np.zeros((0, 2)))
    assert features.arrays[KEY].shape == (0, 128)
    assert features.arrays[KEY].dtype == np.float32
    assert "shorter than one window of 0.96 s" in extractor.empty_message
    assert len(examples(VGGishExtractor(last_window="pad"), source)[0]) == (1 if seconds else 0)


def test_the_kept_wav_has_the_samples_of_the_source(sound, tmp_path):
    extractor = VGGishExtractor(keep_tmp_files=True, tmp_path=str(tmp_path / "tmp"))
    examples(extractor, Source(str(sound), "mine"))
    kept, rate = soundfile.read(tmp_path / "tmp" / "mine.wav", dtype="int16")
    assert rate == 44100
    np.testing.assert_array_equal(kept, soundfile.read(sound, dtype="int16")[0])


@pytest.mark.parametrize(("hop_seconds", "nearest"), [(0.485, "0.48"), (0.004, "0.01")])
def test_a_hop_that_is_not_a_multiple_of_10_ms_is_refused(hop_seconds, nearest):
    with pytest.raises(UsageError, match=f"not a multiple of 0.01 s; the nearest is {nearest}"):
        VGGishExtractor(hop_seconds=hop_seconds)


@pytest.mark.parametrize("hop_seconds", [float("nan"), float("inf"), 0.0, -0.96])
def test_a_hop_that_is_not_finite_or_not_above_0_is_refused(hop_seconds):
    with pytest.raises(UsageError, match=r"hop_seconds=.*: must be a multiple of 0\.01 s above 0"):
        VGGishExtractor(hop_seconds=hop_seconds)


@pytest.mark.parametrize("hop_seconds", [0.01, 0.29, 0.48, 0.57, 0.96, 1.0, 1.15, 2.4])
def test_multiples_of_10_ms_are_accepted_despite_rounding(hop_seconds):
    VGGishExtractor(hop_seconds=hop_seconds)


def test_settings_are_plain_yaml_and_cover_all_that_affects_the_values(formula_checkpoint):
    extractor = VGGishExtractor(checkpoint=str(formula_checkpoint))
    settings = dict(extractor.settings)
    assert yaml.safe_load(yaml.safe_dump(settings)) == settings
    for change in ({"activation": "none"}, {"resampler": "soxr"}, {"hop_seconds": 0.48}, {"last_window": "pad"}):
        assert dict(VGGishExtractor(checkpoint=str(formula_checkpoint), **change).settings) != settings


def test_a_pickled_extractor_has_its_checkpoint_resolved(formula_checkpoint):
    extractor = VGGishExtractor(checkpoint=str(formula_checkpoint), hop_seconds=0.48)
    weights = extractor.weights
    sent = pickle.dumps(extractor)
    copy = pickle.loads(sent)
    assert len(sent) < 2000
    assert copy == extractor
    assert copy.__dict__["weights"] == weights  # not resolved again


def test_embeddings_of_the_sample_with_stand_in_weights(formula_checkpoint, shared_sample):
    extractor = VGGishExtractor(checkpoint=str(formula_checkpoint))
    data, times = examples(extractor, Source(str(shared_sample), "x"))
    [stage] = extractor.load("cpu", threads=1)
    (outputs,) = stage.forward(data[:4])().values()
    features = extractor.features(Source("a", "a"), {KEY: outputs}, times[:4])
    assert features.arrays[KEY].shape == (4, 128)
    assert features.arrays[KEY].min() == 0


@pytest.mark.pretrained
def test_pretrained_weights_give_the_published_embeddings(shared_sample, golden):
    if not WEIGHTS.cached.exists():
        pytest.skip(f"the pretrained weights are not in torch's hub cache ({WEIGHTS.cached.name})")
    extractor = VGGishExtractor()
    data, _ = examples(extractor, Source(str(shared_sample), "x"))
    [stage] = extractor.load("cpu", threads=2)
    (outputs,) = stage.forward(data)().values()
    with np.load(golden / "real_weights_vggish.npz") as theirs:
        # FFmpeg versions differ in 152 samples by one 16-bit step, which changes embeddings by less than 5e-4
        np.testing.assert_allclose(outputs, theirs["v_GGSY1Qvo990_vggish"], rtol=0, atol=5e-4)
