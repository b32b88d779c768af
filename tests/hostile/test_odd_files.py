"""Files that are no media at all, whatever they claim: one line each, at once."""

from __future__ import annotations

import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from media_maker import decode, noise_and_tone, write_media
from tiny_network import NOWHERE, loaded, state

from torch_zoo.models.vggish.postprocess import load_pca
from torch_zoo.utils.checkpoints import resolve
from torch_zoo.utils.media.audio import keep_wav, open_audio
from torch_zoo.utils.media.video import open_video
from torch_zoo.utils.types import MediaError, Source, UsageError

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


@LINUX
@pytest.mark.parametrize("name", ["cmdline", "status", "pagemap", "mem", "maps", "fd"])
@pytest.mark.parametrize("opened", [open_audio, open_video])
def test_files_of_the_kernel(opened, name):
    refused = pytest.raises(MediaError, match=r"^(cannot be opened|not a media file|it is a folder)[^\n]*$")
    with refused, opened(Source(f"/proc/self/{name}", "x")):
        pass


class Evil:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def test_code_among_pca_params_is_not_run(tmp_path):
    was_run = tmp_path / "was_run"
    path = tmp_path / "pca.pth"
    path.write_bytes(pickle.dumps({"pca_eigen_vectors": Evil(was_run), "pca_means": Evil(was_run)}, protocol=2))
    np.savez(tmp_path / "pca.npz", pca_eigen_vectors=np.array([Evil(was_run)], dtype=object), pca_means=np.zeros(128))
    for each in (path, tmp_path / "pca.npz"):
        with pytest.raises(UsageError, match=each.name):
            load_pca(each)
    assert not was_run.exists()


@pytest.mark.parametrize("read", [lambda path: loaded(resolve(str(path), NOWHERE, 0)), load_pca])
def test_a_checkpoint_that_would_unpack_to_more_than_it_is(read, tmp_path):
    path, bomb = tmp_path / "small.pth", tmp_path / "bomb.pth"
    torch.save(state(), path)
    with zipfile.ZipFile(path) as small, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as large:
        for name in small.namelist():
            large.writestr(name, small.read(name) + bytes(1 << 20 if name.endswith("data/0") else 0))
    with pytest.raises(UsageError, match=r"bomb\.pth.*(compressed|BadZipFile)"):
        read(bomb)


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
@pytest.mark.parametrize(
    "name", ["-y.mka", "--help.mka", "a\nb.mka", "12:30.mka", "%d.mka", "\U0001f600.mka", "*?[a].mka"]
)
def test_a_name_is_no_option_protocol_or_pattern(name, decoder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    samples = noise_and_tone(0.5, 16000)
    write_media(tmp_path / "x.mka", samples, 16000, "pcm_s16le").rename(f"{name}.mka")
    np.testing.assert_array_equal(decode(Path(f"{name}.mka"), decoder), samples)


@LINUX
@pytest.mark.parametrize("decoder", ["soundfile", "pyav", "ffmpeg"])
def test_a_name_that_is_not_utf_8(decoder, tmp_path):
    samples = noise_and_tone(0.5, 16000)
    path = write_media(tmp_path / "x.wav", samples, 16000, "pcm_s16le").rename(tmp_path / "\udcff.wav")
    kept = tmp_path / "\udcfe.wav"
    with open_audio(Source(str(path), "x"), decoder) as audio:
        blocks = list(keep_wav(audio.blocks, audio.rate, kept, str(path)))
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1).T, samples)
    np.testing.assert_array_equal(decode(kept, decoder), samples)
