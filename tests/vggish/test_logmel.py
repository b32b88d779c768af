"""The log-mel front end gives the same values as Google's and torchvggish's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_maker import decode

from torch_zoo.models.vggish import logmel
from torch_zoo.utils.media.audio import mono
from torch_zoo.utils.media.resampling import resample

STORED = 5e-6  # the references are float32
EXAMPLE_SAMPLES = 95 * 160 + 400


def examples(
    samples: np.ndarray, hop_frames: int = 96, pad: bool = False, pieces: list[int] | None = None
) -> np.ndarray:
    blocks = np.split(samples, pieces or [])
    return np.concatenate([np.zeros((0, 96, 64), np.float32), *logmel.examples(blocks, hop_frames, pad)])


def sine(rate: int, time: np.ndarray | None = None) -> np.ndarray:
    return np.sin(2 * np.pi * 1000 * (np.arange(3 * rate) / rate if time is None else time))


def test_a_sine_at_16_khz(golden):
    ours = examples(sine(16_000))
    assert (ours.shape, ours.dtype) == ((3, 96, 64), np.float32)
    for file, key in [("frontend_sine_1khz", "examples"), ("vggish_smoke_sine_logmel", "logmel_16k_arange")]:
        with np.load(golden / f"{file}.npz") as theirs:
            np.testing.assert_allclose(ours, theirs[key], rtol=0, atol=STORED)


@pytest.mark.parametrize(("resampler", "generation"), [("resampy_0_2", "022"), ("resampy", "043")])
def test_the_sine_of_the_older_smoke_tests(resampler, generation, golden):
    samples = sine(44100, np.linspace(0, 3, 132_300))
    ours = examples(np.concatenate(list(resample([samples], 44100, 16_000, resampler))))
    with np.load(golden / "frontend_sine_1khz.npz") as theirs:
        np.testing.assert_allclose(ours, theirs[f"examples_44100_linspace_{generation}"], rtol=0, atol=STORED)


@pytest.mark.parametrize("generation", ["022", "043"])
def test_the_sample_from_its_16_khz_samples(generation, golden):
    with np.load(golden / "frontend_v_GGSY1Qvo990.npz") as reference:
        ours = examples(reference[f"mono16k_{generation}"].astype(np.float64))
        np.testing.assert_allclose(ours, reference[f"examples_{generation}"], rtol=0, atol=STORED)


def test_equal_to_torchvggish_on_real_audio(bigbuckbunny):
    torchvggish = pytest.importorskip("torchvggish")
    sound = next(mono([decode(bigbuckbunny).T]))
    theirs = torchvggish.waveform_to_examples(sound, 48000, return_tensor=False)
    ours = examples(np.concatenate(list(resample([sound], 48000, 16_000, "resampy"))))
    assert len(ours) == 5
    np.testing.assert_allclose(ours, np.asarray(theirs).reshape(ours.shape), rtol=0, atol=1e-6)


def test_the_window_is_periodic():
    window = logmel.hann()
    assert window.shape == (400,)
    np.testing.assert_allclose(window, np.hanning(401)[:400], atol=1e-15)


def test_triangular_filters_span_125_to_7500_hz_and_overlap_by_half():
    weights = logmel.mel_matrix()
    hertz = np.linspace(0, 8000, 257)
    assert weights.shape == (257, 64)
    assert weights.min() == 0
    assert weights.max() <= 1
    assert not weights[(hertz <= 125) | (hertz >= 7500)].any()
    centers = 700 * (np.exp(np.linspace(logmel.mel(125.0), logmel.mel(7500.0), 66)[1:-1] / 1127) - 1)
    inner = (hertz >= centers[0]) & (hertz <= centers[-1])
    np.testing.assert_allclose(weights[inner].sum(axis=1), 1, atol=1e-12)  # linear in mel, so neighbors add up to 1
    assert np.abs(hertz[weights.argmax(axis=0)] - centers).max() <= 8000 / 256


def test_silence_is_the_logarithm_of_the_offset():
    np.testing.assert_array_equal(examples(np.zeros(EXAMPLE_SAMPLES)), np.full((1, 96, 64), np.float32(np.log(0.01))))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 40_000), max_size=8), st.sampled_from([96, 48, 1, 130]), st.booleans())
def test_result_does_not_depend_on_the_blocks(cuts, hop_frames, pad):
    samples = np.random.default_rng(0).uniform(-1, 1, 40_000 if hop_frames > 1 else 17_000)
    cuts = sorted(min(cut, len(samples)) for cut in cuts)
    np.testing.assert_allclose(
        examples(samples, hop_frames, pad, cuts), examples(samples, hop_frames, pad), rtol=0, atol=1e-6
    )


def test_half_overlapping_examples_share_their_frames():
    samples = np.random.default_rng(0).uniform(-1, 1, 48_000)
    apart, overlapping = examples(samples), examples(samples, 48)
    np.testing.assert_array_equal(overlapping[::2], apart)
    np.testing.assert_array_equal(overlapping[1, :48], apart[0, 48:])


@pytest.mark.parametrize("hop_frames", [96, 48, 150])
@pytest.mark.parametrize("more", [-1, 0, 1, 7680, 15_359, 15_360, 15_361])
def test_the_last_example_is_dropped_or_padded(more, hop_frames):
    length = EXAMPLE_SAMPLES + more
    samples = np.random.default_rng(0).uniform(-1, 1, length)
    hop = hop_frames * 160
    starts = range(0, length, hop)
    assert len(examples(samples, hop_frames)) == sum(start + EXAMPLE_SAMPLES <= length for start in starts)
    padded = examples(samples, hop_frames, pad=True)
    assert len(padded) == sum(start == 0 or start - hop + EXAMPLE_SAMPLES < length for start in starts)
    assert [len(examples(samples, hop_frames)), len(padded)] == [
        logmel.num_examples(length, hop_frames, pad) for pad in (False, True)
    ]
    silence = np.zeros(max(0, (len(padded) - 1) * hop + EXAMPLE_SAMPLES - length))
    np.testing.assert_array_equal(padded, examples(np.append(samples, silence), hop_frames))
