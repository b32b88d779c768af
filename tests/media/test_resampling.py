"""The polyphase resampler equals resampy, old and new, and does not depend on the block sizes."""

from __future__ import annotations

import math
import subprocess

import numpy as np
import pytest
import resampy
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from torch_zoo.utils.media.ffmpeg_cli import ffmpeg_program
from torch_zoo.utils.media.resampling import FILTERS, SincFilter, resample

TARGET = 16_000


def resampled(
    samples: np.ndarray, rate: int, resampler: str = "resampy", pieces: list[int] | None = None
) -> np.ndarray:
    return np.concatenate([np.zeros(0), *resample(np.split(samples, pieces or []), rate, TARGET, resampler)])


def noise(seconds: float, rate: int) -> np.ndarray:
    return np.random.default_rng(rate).uniform(-1, 1, round(seconds * rate))


def loop(samples: np.ndarray, rate: int, sinc: SincFilter, last: int | None = None) -> np.ndarray:
    """resampy 0.2's interpolation, one output at a time, from its description: the clock is a running sum."""
    ratio = TARGET / rate
    scale = min(1.0, ratio)
    t = np.arange(sinc.precision * sinc.zeros + 1) / sinc.precision
    window = sinc.rolloff * np.sinc(sinc.rolloff * t) * scale
    window *= np.i0(sinc.beta * np.sqrt(np.clip(1 - (t / sinc.zeros) ** 2, 0, 1))) / np.i0(sinc.beta)
    slope = np.append(np.diff(window), 0.0)
    step = int(scale * sinc.precision)

    def wing(fraction: float, inputs: np.ndarray) -> float:
        position = fraction * sinc.precision
        offset = int(position)
        table = offset + step * np.arange(min(len(inputs), (len(window) - offset) // step))
        return float(inputs[: len(table)] @ (window[table] + (position - offset) * slope[table]))

    outputs = int(len(samples) * ratio) if last is None else last
    result, time = np.zeros(outputs), 0.0
    for index in range(outputs):
        n = int(time)
        fraction = scale * (time - n)
        result[index] = wing(fraction, samples[n::-1]) + wing(scale - fraction, samples[n + 1 :])
        time += 1.0 / ratio
    return result


@pytest.mark.parametrize("rate", [44100, 48000, 22050, 11025, 8000, 32000, 96000, 24000])
def test_equal_to_resampy(rate):
    samples = noise(1.5, rate)
    theirs = resampy.resample(samples, rate, TARGET, filter="kaiser_best")
    ours = resampled(samples, rate)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rate", [44100, 48000, 22050, 32000, 8000])
def test_equal_to_resampy_0_2(rate):
    samples = noise(0.3, rate)
    np.testing.assert_allclose(
        resampled(samples, rate, "resampy_0_2"), loop(samples, rate, FILTERS["resampy_0_2"]), rtol=0, atol=1e-9
    )


def test_the_drift_of_the_old_running_clock_stays_small():
    """The old clock's sum drifts off the exact phases, which the polyphase form keeps: 1.6e-8 after 2 s, then more."""
    samples = noise(2.0, 44100)
    theirs = loop(samples, 44100, FILTERS["resampy_0_2"])
    np.testing.assert_allclose(resampled(samples, 44100, "resampy_0_2"), theirs, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("resampler", "key"), [("resampy_0_2", "mono16k_022"), ("resampy", "mono16k_043")])
def test_golden_samples_of_both_generations(resampler, key, golden):
    with np.load(golden / "frontend_v_GGSY1Qvo990.npz") as metadata:
        samples, theirs = metadata["pcm_first_8192"] / 32768.0, metadata[key]
    sinc = FILTERS[resampler]
    reach = sinc.zeros * sinc.precision // int(TARGET / 44100 * sinc.precision) + 2
    complete = (len(samples) - reach) * 160 // 441  # outputs that later samples don't affect
    assert complete > 2500
    ours = resampled(samples, 44100, resampler)[:complete]
    np.testing.assert_allclose(ours, theirs[:complete], rtol=0, atol=1e-7)  # stored as float32


def test_the_filter_is_the_one_resampy_carries():
    half_window, precision, rolloff = resampy.filters.get_filter("kaiser_best")
    ours = FILTERS["resampy"]
    assert (precision, rolloff) == (ours.precision, pytest.approx(ours.rolloff, abs=1e-15))
    np.testing.assert_allclose(ours.half_window(), half_window, rtol=0, atol=1e-14)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 6000), max_size=8),
    st.sampled_from([44100, 48000, 22050, 8000]),
    st.sampled_from(["resampy_0_2", "resampy", "soxr", "swr"]),
)
def test_result_does_not_depend_on_the_blocks(cuts, rate, resampler):
    samples = noise(6000 / rate, rate)
    at_once, in_pieces = resampled(samples, rate, resampler), resampled(samples, rate, resampler, sorted(cuts))
    assert in_pieces.shape == at_once.shape
    np.testing.assert_allclose(in_pieces, at_once, rtol=0, atol=1e-13)  # products may be summed in another order


@pytest.mark.parametrize("resampler", ["resampy_0_2", "resampy"])
def test_a_long_stream_in_uneven_blocks_keeps_the_clock(resampler):
    samples = noise(11.0, 44100)
    pieces = [1, 441, 44100, 44101, 300_000, 300_001]
    ours = resampled(samples, 44100, resampler, pieces)
    assert len(ours) == 11 * TARGET
    np.testing.assert_allclose(ours, resampled(samples, 44100, resampler), rtol=0, atol=1e-13)
    if resampler == "resampy":
        np.testing.assert_allclose(ours, resampy.resample(samples, 44100, TARGET), rtol=0, atol=1e-9)


@pytest.mark.parametrize("rate", [47_999, 12_345])
def test_odd_rates_go_through_resampy_itself_block_by_block(rate):
    samples = noise(19.0, rate)
    ours = resampled(samples, rate, pieces=list(range(0, len(samples), 5 * rate)))
    theirs = resampy.resample(samples, rate, TARGET, filter="kaiser_best")
    assert ours.shape == theirs.shape
    # at whole seconds resampy's float clock, which runs from the start of the file, may fall just below the whole
    # number; its table step is truncated, so that is not quite the same filter (see _Clock): 6e-5 measured
    difference = np.abs(ours - theirs)
    assert difference[::TARGET].max() < 1e-4
    difference[::TARGET] = 0
    assert difference.max() < 1e-9


def test_odd_rates_with_the_old_filter():
    samples = noise(0.2, 47_999)
    theirs = loop(samples, 47_999, FILTERS["resampy_0_2"])
    np.testing.assert_allclose(resampled(samples, 47_999, "resampy_0_2"), theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("resampler", ["resampy_0_2", "resampy"])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 160, 440, 441, 442, 5000])
def test_output_length_is_the_truncated_product(length, resampler):
    assert len(resampled(np.ones(length), 44100, resampler)) == int(length * (TARGET / 44100))


def test_16_khz_passes_unchanged():
    samples = noise(0.1, TARGET)
    np.testing.assert_array_equal(resampled(samples, TARGET, "resampy_0_2", [100, 101]), samples)


@pytest.mark.parametrize("resampler", ["soxr", "swr"])
@pytest.mark.parametrize("rate", [44100, 48000, 8000, 47_999])
def test_others_keep_length_and_level(rate, resampler):
    tone = np.sin(2 * math.pi * 1000 * np.arange(rate) / rate)
    ours = resampled(tone, rate, resampler, [1000, 30_000 if rate > 30_000 else 2000])
    assert abs(len(ours) - TARGET) <= 1
    expected = np.sin(2 * math.pi * 1000 * np.arange(TARGET) / TARGET)
    np.testing.assert_allclose(ours[1000:-1000], expected[1000 : len(ours) - 1000], atol=1e-4)


@pytest.mark.parametrize("rate", [44100, 48000, 22050, 8000])
def test_swr_is_what_the_ffmpeg_program_does(rate, tmp_path):
    soundfile.write(tmp_path / "in.wav", 0.5 * noise(1.3, rate), rate, subtype="FLOAT")
    options = "-loglevel error -i in.wav -ar 16000 -c:a pcm_f32le out.wav"
    subprocess.run([ffmpeg_program(), *options.split()], cwd=tmp_path, check=True)
    ours = resampled(soundfile.read(tmp_path / "in.wav")[0], rate, "swr", [5000])
    np.testing.assert_allclose(ours, soundfile.read(tmp_path / "out.wav")[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("resampler", "hertz", "decibels"),
    [
        ("resampy_0_2", 7000, 0.04),
        ("resampy_0_2", 7400, -1.49),
        ("resampy", 7000, -0.26),
        ("resampy", 7400, -8.64),
        ("soxr", 7400, -0.01),
    ],
)
def test_the_filters_differ_in_the_level_of_a_high_tone(resampler, hertz, decibels):
    tone = np.sin(2 * math.pi * hertz * np.arange(44100) / 44100)
    ours = resampled(tone, 44100, resampler)[2000:-2000]
    assert 20 * math.log10(math.sqrt(2 * np.mean(ours**2))) == pytest.approx(decibels, abs=0.01)
