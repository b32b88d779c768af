"""Media in, the published network's input out."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.signal
import soundfile
from media_maker import write_mono

from torch_zoo.models.vggsound.extractor import VGGSoundExtractor
from torch_zoo.models.vggsound.spectrogram import normalized_log_spectrogram
from torch_zoo.utils.media.audio import mono
from torch_zoo.utils.media.ffmpeg_cli import ffmpeg_program
from torch_zoo.utils.types import Source

RANDOM = {"checkpoint": "random"}
SECOND = 16_000  # samples


def windows(extractor: VGGSoundExtractor, source: Source) -> tuple[np.ndarray, np.ndarray]:
    parts = list(extractor.windows(source))
    return np.concatenate([part.data for part in parts]), np.concatenate([part.times for part in parts])


def published(samples: np.ndarray) -> np.ndarray:
    """The steps of the published loader, for a 16 kHz sound of one second or more."""
    samples = np.clip(np.tile(samples, 10)[:160_000], -1, 1)
    _, _, density = scipy.signal.spectrogram(samples, SECOND, nperseg=512, noverlap=353)
    logs = np.log(density + 1e-7)
    return (logs - logs.mean()) / (logs.std() + 1e-9)


@pytest.mark.numerical
@pytest.mark.parametrize("seconds", [1.0, 3.7, 10.0, 12.5])
def test_the_input_of_the_network_is_the_published_one(seconds, tmp_path):
    """Short clips are tiled, long ones are cut to ten seconds."""
    source = write_mono(tmp_path / "sound.wav", seconds)
    data, times = windows(VGGSoundExtractor(**RANDOM), source)
    assert (data.shape, data.dtype) == ((1, 1, 257, 1004), np.float32)
    np.testing.assert_allclose(data[0, 0], published(soundfile.read(source.path)[0]), rtol=0, atol=2e-6)
    np.testing.assert_allclose(times, [[0, min(seconds, 10)]], atol=1e-12)


@pytest.mark.numerical
def test_the_published_example(vggsound_example, golden):
    data, _ = windows(VGGSoundExtractor(**RANDOM), Source(str(vggsound_example), "x"))
    with np.load(golden / "preproc_vggsound_example.npz") as expected:
        np.testing.assert_allclose(data[0, 0, ::8, ::8], expected["normalized_sub8"], rtol=0, atol=1e-6)


def test_a_video_is_prepared_as_by_the_ffmpeg_program(tmp_path):
    """`ffmpeg -i clip.mp4 -ac 1 -ar 16000`: samples differ by one 16-bit step."""
    prepared = tmp_path / "music.wav"
    command = [ffmpeg_program(), "-loglevel", "error", "-i", "sample/music.mp4", "-acodec", "pcm_s16le"]
    subprocess.run([*command, "-ac", "1", "-ar", "16000", prepared], check=True)
    theirs, _ = windows(VGGSoundExtractor(**RANDOM), Source(str(prepared), "x"))
    errors = {}
    for resampler in ("swr", "soxr"):
        ours, _ = windows(VGGSoundExtractor(**RANDOM, resampler=resampler), Source("sample/music.mp4", "x"))
        errors[resampler] = np.abs(ours - theirs).max()
    assert errors["swr"] < 0.01 < errors["soxr"]


def test_windows_come_as_soon_as_their_samples_are_there():
    """So that an hour takes no more memory than a minute."""
    taken: list[np.ndarray] = []

    def seconds() -> Iterator[np.ndarray]:
        while True:
            taken.append(np.zeros(SECOND))
            yield taken[-1]

    found = VGGSoundExtractor(**RANDOM, window_seconds=3, hop_seconds=1).windows_of(seconds(), SECOND)
    for number in range(20):
        assert len(next(found).data) == 1
        assert len(taken) == number + 3


def test_only_what_the_first_window_needs_is_decoded(tmp_path, monkeypatch):
    decoded = 0

    def counted(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        nonlocal decoded
        for block in mono(blocks):
            decoded += len(block)
            yield block

    monkeypatch.setattr("torch_zoo.models.vggsound.extractor.mono", counted)
    _, times = windows(VGGSoundExtractor(**RANDOM), write_mono(tmp_path / "long.wav", 60))
    np.testing.assert_allclose(times, [[0, 10]])
    assert 10 * SECOND < decoded < 11 * SECOND


@pytest.mark.parametrize(
    ("seconds", "hop_seconds", "last_window", "expected"),
    [
        (5.0, 1.0, "drop", [(0, 2), (1, 3), (2, 4), (3, 5)]),
        (5.0, 2.0, "drop", [(0, 2), (2, 4)]),
        (5.0, 2.0, "tile", [(0, 2), (2, 4), (4, 5)]),
        (5.0, 3.0, "tile", [(0, 2), (3, 5)]),
        (1.5, 1.0, "drop", [(0, 1.5)]),
        (1.5, 1.0, "tile", [(0, 1.5)]),
        (5.0, None, "drop", [(0, 2)]),
    ],
)
def test_windows_over_longer_media(seconds, hop_seconds, last_window, expected, tmp_path):
    source = write_mono(tmp_path / "sound.wav", seconds)
    samples, _ = soundfile.read(source.path)
    extractor = VGGSoundExtractor(**RANDOM, window_seconds=2, hop_seconds=hop_seconds, last_window=last_window)
    data, times = windows(extractor, source)
    np.testing.assert_allclose(times, expected, atol=1e-12)
    for window, (start, end) in zip(data, expected, strict=True):
        part = samples[round(start * SECOND) : round(end * SECOND)]
        np.testing.assert_array_equal(window[0], normalized_log_spectrogram(np.tile(part, 2)[: 2 * SECOND]))


def test_times_of_a_segment_count_from_the_start_of_the_file(tmp_path):
    whole = write_mono(tmp_path / "sound.wav", 6)
    extractor = VGGSoundExtractor(**RANDOM, window_seconds=1, hop_seconds=1)
    data, times = windows(extractor, Source(whole.path, "x", 2.0, 4.5))
    np.testing.assert_allclose(times, [[2, 3], [3, 4]])
    np.testing.assert_array_equal(data, windows(extractor, whole)[0][2:4])
    first, times = windows(VGGSoundExtractor(**RANDOM, window_seconds=1), Source(whole.path, "x", 2.0, 4.5))
    np.testing.assert_allclose(times, [[2, 3]])
    np.testing.assert_array_equal(first, data[:1])
