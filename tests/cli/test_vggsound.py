"""feature_type=vggsound as a user runs it: files, predictions, and a line for each thing that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command import ROOT, Result, run, run_each
from media_maker import noise_and_tone

from torch_zoo.utils.terminal import checks
from torch_zoo.utils.terminal.catalogue import Catalogue

QUICK = ("feature_type=vggsound", "checkpoint=random", "window_seconds=1", "pooling=avgpool", "device=cpu")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds of 2.5 and of 0.3 s, an empty one, and lists of classes."""
    folder = tmp_path_factory.mktemp("media")
    for name, seconds in {"long": 2.5, "short": 0.3, "nothing": 0}.items():
        soundfile.write(folder / f"{name}.wav", noise_and_tone(seconds, 44100), 44100)
    (folder / "classes.csv").write_text('"whale, singing",5\nbell,3\n')
    (folder / "twice.csv").write_text("bell\nbell\n")
    return folder


def test_features_logits_and_predictions(media: Path, tmp_path: Path) -> None:
    options = ("hop_seconds=1", "last_window=tile", "show_pred=true", f"labels={media}/classes.csv")
    result = run(*QUICK, *options, "on_extraction=save_numpy", f"video_paths={media}", f"output_path={tmp_path}")
    assert result.code == 0, result.stderr
    assert "2 done, 0 skipped, 1 empty, 0 failed" in result.stderr
    assert "nothing.wav: the audio stream has no samples" in result.stderr
    arrays = {path.name: np.load(path) for path in (tmp_path / "vggsound").glob("*.npy")}
    assert {name: array.shape for name, array in arrays.items()} == {
        f"{name}_{key}.npy": (rows, columns)
        for name, rows in {"long": 3, "short": 1, "nothing": 0}.items()
        for key, columns in {"vggsound": 512, "vggsound_logits": 2}.items()
    }
    assert all(np.isfinite(array).all() for array in arrays.values())
    titles = [line.partition(" s, audio")[0] for line in result.stdout.splitlines() if "audio" in line]
    assert sorted(titles) == ["long: 0.00 - 1.00", "long: 1.00 - 2.00", "long: 2.00 - 2.50", "short: 0.00 - 0.30"]
    assert result.stdout.count("whale, singing") == len(titles)


def test_the_commands_of_the_documentation_work(media: Path, tmp_path: Path) -> None:
    """Those that save files, on a short clip with random weights; of the others the options are checked."""
    page = (ROOT / "docs/vggsound.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL))
    commands = re.findall(r"^python main\.py (.*)$", blocks, re.MULTILINE)
    assert len(commands) == 8
    for number, words in enumerate(map(str.split, commands)):
        checks.check(words, Catalogue())
        if any(word.startswith("on_extraction=") for word in words):
            labels, clip = f"labels={media}/classes.csv", f"video_paths={media}/long.wav"
            result = run(*words, *QUICK[1:3], "device=cpu", labels, clip, f"output_path={tmp_path / str(number)}")
            assert (result.code, "1 done" in result.stderr) == (0, True), result.stderr
    files = {path.name for path in tmp_path.rglob("*.*") if path.suffix in (".npy", ".csv")}
    assert files == {"long_vggsound.npy", "long_vggsound_logits.npy", "predictions.csv", "long.npy"}


MISTAKES = {
    "list of classes is missing": (["labels=no.csv"], "no.csv: No such file"),
    "class listed twice": (["labels={media}/twice.csv"], "twice.csv, row 2: bell is already in row 1"),
    "window too short": (["window_seconds=0.01"], "window_seconds=0.01: must be a number of seconds from 0.032"),
    "nothing to tile": (["last_window=tile"], "last_window=tile does nothing without hop_seconds"),
    "unknown pooling": (["pooling=vlad"], "pooling=vlad: must be one of avgpool, netvlad"),
    "no such weights": (["checkpoint=pretrained", "model=resnet50"], "no weights of this network are published; give"),
    "no such file": (["checkpoint=no.pt"], "checkpoint=no.pt: no such file"),
    "option of i3d": (["stack_size=16"], "stack_size: not an option of feature_type=vggsound"),
}


@pytest.fixture(scope="module")
def mistaken(media: Path) -> dict[str, Result]:
    lines = [[option.format(media=media) for option in options] for options, _ in MISTAKES.values()]
    results = run_each([[*QUICK, f"video_paths={media}/long.wav", *options] for options in lines])
    return dict(zip(MISTAKES, results, strict=True))


@pytest.mark.parametrize("case", MISTAKES)
def test_mistake_is_named_in_a_line(case: str, mistaken: dict[str, Result]) -> None:
    result = mistaken[case]
    assert (result.code, result.stdout, result.torch) == (2, "", False)
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ") and MISTAKES[case][1] in line
