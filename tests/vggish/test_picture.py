"""The picture of a clip: each step is what the extractor computes, and the one in the documentation is up to date."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import ROOT
from PIL import Image

from hubconf import vggish_examples
from torch_zoo import extract
from torch_zoo.models.vggish.picture import draw, hear, main
from torch_zoo.utils.types import MediaError

pytest.importorskip("matplotlib")

SPEECH, MUSIC = (str(ROOT / "sample" / name) for name in ("speech.mp4", "music.mp4"))
STORED = ROOT / "docs" / "images" / "vggish.png"


def test_each_step_is_that_of_the_extractor() -> None:
    clip = hear(SPEECH, checkpoint="random")
    assert (clip.name, clip.rate, len(clip.samples)) == ("speech", 44_100, pytest.approx(19.8 * 44_100, rel=0.01))
    assert np.abs(clip.samples).max() <= 1
    np.testing.assert_array_equal(clip.log_mel.T.reshape(-1, 1, 96, 64), vggish_examples(SPEECH).numpy())
    features = extract(SPEECH, feature_type="vggish", checkpoint="random")
    np.testing.assert_allclose(clip.embedding, features["vggish"], atol=1e-4)
    assert clip.seconds == pytest.approx(features.times[-1, 1])


def test_clips_are_columns_that_show_their_numbers() -> None:
    clips = [hear(path, checkpoint="random") for path in (SPEECH, MUSIC)]
    figure = draw(clips)
    waves, mels, embeddings = (figure.axes[row * 2 : row * 2 + 2] for row in range(3))
    for clip, wave, mel, embedding in zip(clips, waves, mels, embeddings, strict=True):
        assert wave.get_title() == clip.name
        np.testing.assert_array_equal(wave.lines[0].get_ydata(), clip.samples)
        np.testing.assert_array_equal(mel.images[0].get_array(), clip.log_mel)
        np.testing.assert_array_equal(embedding.images[0].get_array(), clip.embedding.T)
        assert embedding.get_xlim() == (0, clip.seconds)


def test_the_picture_in_the_documentation_is_what_the_command_makes(tmp_path: Path) -> None:
    assert main([SPEECH, str(tmp_path / "new.png"), "--checkpoint", "random"]) == 0
    stored, new = (np.asarray(Image.open(path).convert("RGB"), float) for path in (STORED, tmp_path / "new.png"))
    assert stored.shape == new.shape
    assert np.abs(stored - new).mean() < 1  # of 255: fonts are drawn a little differently elsewhere


def test_what_can_not_be_drawn_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([SPEECH, "picture.jpg"]) == 2
    (tmp_path / "file").touch()
    assert main([SPEECH, str(tmp_path / "file" / "x.png"), "--checkpoint", "random"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert errors[0] == "error: picture.jpg: the last argument is the .png to write"
    assert "x.png: cannot be written" in errors[1]
    with pytest.raises(MediaError):
        hear(str(tmp_path / "missing.wav"))
