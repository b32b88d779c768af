"""`embed` for Python, and torch.hub."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import command
import numpy as np
import pytest
import soundfile
import torch
from media_maker import noise_and_tone

from torch_zoo.models.vggish import VGGish, embed
from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.utils.types import MediaError, Source, UsageError

ROOT = Path(__file__).parents[2]
SPEECH, MUSIC = ROOT / "sample/speech.mp4", ROOT / "sample/music.mp4"
RANDOM = {"checkpoint": "random", "device": "cpu", "progress": False}
RAW = {**RANDOM, "pooling": None, "normalize": False}


@pytest.fixture(scope="module")
def network() -> VGGish:
    return VGGish.from_pretrained("random")


def plain(network: VGGish, path: Path) -> np.ndarray:
    """Embeddings from the plain network."""
    parts = [part.data for part in VGGishExtractor().windows(Source(str(path), "x"))]
    with torch.inference_mode():
        return network(torch.from_numpy(np.concatenate(parts))).numpy()


def test_embeddings_equal_the_plain_networks(network):
    for medium in (SPEECH, str(SPEECH)):
        np.testing.assert_allclose(embed(medium, **RAW), plain(network, SPEECH), rtol=0, atol=command.ROUNDING)


def test_default_is_the_l2_normalized_mean(network):
    mean = plain(network, MUSIC).mean(axis=0)
    np.testing.assert_allclose(embed(MUSIC, **RANDOM), mean / np.linalg.norm(mean), rtol=0, atol=1e-5)


def test_a_list_gives_an_array_in_its_order():
    rows = embed([MUSIC, SPEECH, MUSIC], **RANDOM)
    assert rows.shape == (3, 128)
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-5)
    np.testing.assert_allclose(rows[1], embed(SPEECH, **RANDOM), atol=1e-5)
    assert np.abs(rows[0] - rows[1]).max() > 0.01
    assert embed([], **RANDOM).shape == (0, 128)


def test_a_folder_stands_for_its_media_files(tmp_path):
    (tmp_path / "clips" / "deeper").mkdir(parents=True)
    (tmp_path / "clips" / "b.mp4").symlink_to(MUSIC)
    (tmp_path / "clips" / "deeper" / "c.mp4").symlink_to(SPEECH)
    (tmp_path / "clips" / "notes.txt").write_text("no media")
    for folder in (tmp_path / "clips", str(tmp_path / "clips")):
        np.testing.assert_array_equal(embed(folder, **RANDOM), embed([MUSIC, SPEECH], **RANDOM))
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="without media files"):
        embed(tmp_path / "empty", **RANDOM)


def test_failures_in_a_list_are_warnings(tmp_path):
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"no media")
    with pytest.warns(UserWarning, match=r"damaged\.mp4: .*not a media file") as warned:
        rows = embed([SPEECH, damaged, MUSIC], **RANDOM)
    assert len(warned) == 1
    assert np.isnan(rows[1]).all()
    assert np.isfinite(rows[[0, 2]]).all()
    with pytest.warns(UserWarning, match="damaged"):
        assert [len(rows) for rows in embed([damaged, SPEECH], **RAW)] == [0, 20]


def test_a_single_file_or_waveform_that_fails_raises(tmp_path):
    with pytest.raises(MediaError, match=r"gone\.mp4"):
        embed(tmp_path / "gone.mp4", **RANDOM)
    with pytest.raises(MediaError, match=r"the waveform: shorter than one window of 0\.96 s"):
        embed(np.zeros(100), 16_000, **RANDOM)
    assert embed(np.zeros(100), 16_000, **RAW).shape == (0, 128)


def test_a_waveform_gives_the_same_as_its_file(tmp_path):
    sound = noise_and_tone(3.0, 44_100)  # (samples, channels)
    soundfile.write(tmp_path / "sound.wav", sound, 44_100, subtype="PCM_16")
    samples, rate = soundfile.read(tmp_path / "sound.wav", dtype="int16")
    expected = embed(tmp_path / "sound.wav", **RAW)
    for waveform in (samples.T, samples.T / 32768, torch.from_numpy(samples.T.copy()), samples.mean(axis=1) / 32768):
        np.testing.assert_allclose(embed(waveform, rate, **RAW), expected, rtol=0, atol=command.ROUNDING)


def test_any_iterable_of_paths_works_as_a_list():
    pandas = pytest.importorskip("pandas")
    expected = embed([SPEECH, MUSIC], **RANDOM)
    for media in (iter([SPEECH, MUSIC]), pandas.Series([str(SPEECH), str(MUSIC)]), np.array([str(SPEECH), str(MUSIC)])):
        np.testing.assert_allclose(embed(media, **RANDOM), expected, atol=1e-5)


def test_a_checkpoint_that_changed_is_reloaded(network, tmp_path):
    options = {"device": "cpu", "checkpoint": str(tmp_path / "mine.pth")}
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    before = embed(MUSIC, **options)
    torch.save(VGGish.from_pretrained("random", seed=1).state_dict(), tmp_path / "mine.pth")
    assert np.abs(embed(MUSIC, **options) - before).max() > 0.01


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_an_error(value):
    waveform = np.zeros(48_000)
    waveform[40_000] = value
    with pytest.raises(MediaError, match="NaN or infinity"):
        embed(waveform, 16_000, **RANDOM)


def test_pooled_8_bit_embeddings_can_be_normalized(tmp_path):
    pca = tmp_path / "pca.npz"
    np.savez(pca, pca_eigen_vectors=np.eye(128), pca_means=np.zeros(128))
    row = embed(MUSIC, postprocess="pca_8bit", pca_params=str(pca), **RANDOM)
    assert np.linalg.norm(row) == pytest.approx(1)


@pytest.mark.parametrize(
    ("waveform", "rate", "message"),
    [
        (np.zeros(48_000), None, "needs its sample_rate"),
        (np.zeros((48_000, 2)), 16_000, r"\(channels, samples\).* not \(48000, 2\) float64"),
        (np.zeros((1, 2, 48_000)), 16_000, r"\(channels, samples\)"),
        (np.zeros(48_000, np.uint8), 16_000, "signed integers or floats"),
    ],
)
def test_invalid_waveforms_are_reported(waveform, rate, message):
    with pytest.raises(UsageError, match=message):
        embed(waveform, rate, **RANDOM)


def test_wrong_options_are_reported():
    with pytest.raises(UsageError, match="pooling=median: must be one of mean, sum, max, null"):
        embed(SPEECH, pooling="median", **RANDOM)
    with pytest.raises(TypeError, match="has no option hop"):
        embed(SPEECH, hop=0.5, **RANDOM)


def test_torch_is_imported_lazily():
    code = "import sys; from torch_zoo.models.vggish import embed; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_torchs_number_of_threads_is_restored():
    code = (
        "import torch; from torch_zoo.models.vggish import embed; before = torch.get_num_threads();"
        "embed('sample/music.mp4', checkpoint='random', device='cpu'); assert torch.get_num_threads() == before"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_torch_hub_loads_network_and_preprocessing(network):
    hub = {"repo_or_dir": str(ROOT), "source": "local"}
    loaded = torch.hub.load(model="vggish", checkpoint="random", **hub)
    examples = torch.hub.load(**hub, model="vggish_examples", medium=str(MUSIC), hop_seconds=0.48)
    assert examples.shape == (23, 1, 96, 64)  # 12 s are 1198 frames, a window 96 of them, a hop 48
    with torch.inference_mode():
        np.testing.assert_array_equal(loaded(examples), network(examples))
