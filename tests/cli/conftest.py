"""Runs and media that the tests of the command line share."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command import MUSIC, ROOT, SAMPLES, SPEECH, run

from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.utils.types import Source

RATE = 16_000


@pytest.fixture(scope="session")
def direct() -> dict[str, np.ndarray]:
    """Embeddings of the sample clips, computed by the plain network, file by file, without engine or sink."""
    import torch

    from torch_zoo.models.vggish.network import VGGish

    extractor = VGGishExtractor(checkpoint="random")
    with torch.device("meta"):
        network = VGGish()
    extractor.weights.load(network)
    embeddings = {}
    for path in (SPEECH, MUSIC):
        data = [part.data for part in extractor.windows(Source(str(ROOT / path), Path(path).stem))]
        embeddings[Path(path).stem] = network(torch.from_numpy(np.concatenate(data))).numpy()
    return embeddings


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of a tone: less than a window."""
    path, rate = tmp_path_factory.mktemp("short") / "short.wav", 16000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate), rate)
    return path


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of both clips' features, saved by two workers. Tests that change it work on a copy."""
    output_path = tmp_path_factory.mktemp("saved")
    options = ("on_extraction=save_numpy", "device_ids=[0,1]", "batch_size=7", f"output_path={output_path}")
    result = run("feature_type=vggish", *SAMPLES, *options)
    assert (result.code, result.stdout) == (0, ""), result.stderr
    return output_path / "vggish"


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two files, written to an empty folder, and 3.5 s of a square wave that is louder each second."""
    folder = tmp_path_factory.mktemp("outside")
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## Add an extractor in two files")[1].split("\n## ")[0]
    python, yaml = re.findall(r"```(?:python|yaml)\n(.*?)```", section, re.DOTALL)
    (folder / "loudness.py").write_text(python)
    (folder / "configs/feature_type").mkdir(parents=True)
    (folder / "configs/feature_type/loudness.yaml").write_text(yaml)
    seconds = np.arange(3.5 * RATE) / RATE
    wave = np.sign(np.sin(2 * np.pi * 100 * (seconds + 1e-6))) * (1 + seconds.astype(int)) / 8
    soundfile.write(folder / "wave.wav", wave, RATE)
    return folder
