"""Training from scratch: what it learns, what it saves, and that it goes on where it was stopped."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from sound_classes import CLASSES, RATE, sound, write_classes

from torch_zoo.models.vggsound import training
from torch_zoo.models.vggsound.extractor import LOGITS, VGGSoundExtractor
from torch_zoo.models.vggsound.labels import read_labels
from torch_zoo.models.vggsound.network import VGGSound
from torch_zoo.models.vggsound.train import main
from torch_zoo.utils.predictions import softmax
from torch_zoo.utils.training.dataset import divided, of_folder
from torch_zoo.utils.training.metrics import accuracy

SMALL = ("--pooling", "avgpool", "--batch-size", 8, "--device", "cpu")


def train(data: Path, output: Path, *options: object) -> int:
    place = ("--output_path", output, "--cache_path", data.with_name("cache"))
    with patch.object(training, "cpu_cores", return_value=1):  # threads wait for each other on a busy machine
        return main([*map(str, (data, *SMALL, *place, *options))])


def log_of(output: Path) -> list[dict[str, float]]:
    with (output / "training" / "log.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def last(output: Path) -> dict[str, object]:
    return torch.load(output / "training" / "last.pth.tar", weights_only=True)


@pytest.fixture(scope="module")
def ten_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on ten classes of synthetic sounds of 0.25 s, 16 of each."""
    folder = tmp_path_factory.mktemp("ten")
    write_classes(folder / "sounds", 16, 0.25)
    assert train(folder / "sounds", folder, "--window_seconds", 0.25, "--epochs", 3, "--warmup_epochs", 0.5) == 0
    return folder


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    return write_classes(folder / "sounds", 6, 0.1, names=("hiss", "whistle"))


@pytest.fixture(scope="module")
def undisturbed(two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed")
    assert train(two_classes, output, "--window_seconds", 0.1, "--epochs", 3, "--tensorboard") == 0
    return output


def test_ten_classes_are_learned_from_scratch(ten_classes):
    epochs = log_of(ten_classes)
    assert [row["epoch"] for row in epochs] == [1, 2, 3]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert max(row["validation_accuracy"] for row in epochs) >= 0.95
    assert max(row["validation_map"] for row in epochs) >= 0.95


def test_the_best_checkpoint_classifies_new_sounds_as_feature_type_vggsound(ten_classes):
    folder = ten_classes / "training"
    extractor = VGGSoundExtractor(
        checkpoint=str(folder / "best.pth.tar"),
        labels=str(folder / "classes.txt"),
        pooling="avgpool",
        window_seconds=0.25,
    )
    assert extractor.classes == read_labels(folder / "classes.txt") == tuple(sorted(CLASSES))
    [stage], random = extractor.load("cpu", threads=1), np.random.default_rng(99)
    labels = np.arange(30) % 10
    sounds = (sound(extractor.classes[label], 0.25, random) for label in labels)
    inputs = [window.data for each in sounds for window in extractor.windows_of([each], RATE)]
    assert accuracy(stage.forward(np.concatenate(inputs))()[LOGITS], labels) >= 0.9


def test_checkpoints_have_the_published_layout(ten_classes):
    for name in ("best.pth.tar", "last.pth.tar"):
        saved = torch.load(ten_classes / "training" / name, weights_only=True)
        state = saved["model_state_dict"]
        assert all(key.startswith("audnet.") for key in state)
        VGGSound("resnet18", "avgpool", 10).load_state_dict(state, strict=True)
    assert {"optimizer", "scheduler", "scaler"} <= set(saved["learner"])
    assert len(saved["log"]) == 3


def test_an_interrupted_run_resumes_to_the_same_numbers(two_classes, undisturbed, tmp_path, monkeypatch, capsys):
    def interrupt(text: str) -> None:
        if text.startswith("epoch 1 of 3"):
            raise KeyboardInterrupt

    options = ("--window_seconds", 0.1, "--epochs", 3)
    with monkeypatch.context() as patched:
        patched.setattr(training, "say", interrupt)
        assert train(two_classes, tmp_path, *options) == 130
    assert "--resume continues after the last complete epoch" in capsys.readouterr().err
    assert len(log_of(tmp_path)) == 1
    torch.rand(100)  # the generator's state comes from the checkpoint

    assert train(two_classes, tmp_path, *options) == 2
    assert "already exists; --resume continues that run, --overwrite replaces it" in capsys.readouterr().err
    assert train(two_classes, tmp_path, *options, "--batch_size", 5, "--resume") == 2
    assert "--resume: batch_size was 8, and must not become 5" in capsys.readouterr().err
    assert train(two_classes, tmp_path, *options, "--resume") == 0

    one, two = last(undisturbed), last(tmp_path)
    for name, tensor in one["model_state_dict"].items():
        assert torch.equal(tensor, two["model_state_dict"][name]), name
    moments = [run["learner"]["optimizer"]["state"] for run in (one, two)]
    assert all(torch.equal(moments[0][at][name], moments[1][at][name]) for at in moments[0] for name in moments[0][at])
    seconds = {"seconds": 0}
    assert [row | seconds for row in log_of(tmp_path)] == [row | seconds for row in log_of(undisturbed)]
    for name in ("confusion.csv", "mistakes.csv"):
        assert (tmp_path / "training" / name).read_text() == (undisturbed / "training" / name).read_text()


def test_the_summary_is_of_the_best_epoch_wherever_the_run_went_on(two_classes, undisturbed, tmp_path, capsys):
    """A run that is resumed after its last epoch says the same again; clips and accuracy are those of the log."""
    shutil.copytree(undisturbed / "training", tmp_path / "training")
    for name in ("confusion.csv", "mistakes.csv", "report.html"):
        (tmp_path / "training" / name).unlink()
    assert train(two_classes, tmp_path, "--window_seconds", 0.1, "--epochs", 3, "--resume") == 0
    log = log_of(undisturbed)
    best = max(log, key=lambda row: (row["validation_map"], row["validation_accuracy"]))
    said = f"{round(2 * best['validation_accuracy'])} of 2 validation clips are right"
    assert f"{said} ({best['validation_accuracy']:.1%}), epoch {best['epoch']:.0f}" in capsys.readouterr().err
    for name in ("confusion.csv", "mistakes.csv"):
        assert (tmp_path / "training" / name).read_text() == (undisturbed / "training" / name).read_text()
    assert (tmp_path / "training" / "report.html").exists()


def test_the_confusions_are_those_of_the_best_checkpoint(ten_classes):
    """What the saved network, as feature_type=vggsound, makes of the validation clips."""
    folder = ten_classes / "training"
    extractor = VGGSoundExtractor(
        checkpoint=str(folder / "best.pth.tar"),
        labels=str(folder / "classes.txt"),
        pooling="avgpool",
        window_seconds=0.25,
    )
    [stage] = extractor.load("cpu", threads=1)
    matrix, mistakes = np.zeros((10, 10), int), {}
    for clip in divided(of_folder(str(ten_classes / "sounds")), (), seed=0).validation:
        [windows] = extractor.windows(clip.source)
        [probabilities] = softmax(stage.forward(windows.data)()[LOGITS])
        matrix[clip.label, probabilities.argmax()] += 1
        if probabilities.argmax() != clip.label:
            mistakes[clip.source.path] = pytest.approx(probabilities.max(), abs=0.01)  # inputs are rounded to float16
    with (folder / "confusion.csv").open(newline="") as file:
        assert [[int(number) for number in row[1:]] for row in [*csv.reader(file)][1:]] == matrix.tolist()
    with (folder / "mistakes.csv").open(newline="") as file:
        assert {row["path"]: float(row["probability"]) for row in csv.DictReader(file)} == mistakes


def test_tensorboard_gets_what_the_log_has(undisturbed):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(undisturbed / "training" / "tensorboard")).Reload()
    for tag, name in (("loss", "loss"), ("validation/map", "validation_map")):
        logged = [(event.step, event.value) for event in events.Scalars(tag)]
        assert logged == [(row["epoch"], pytest.approx(row[name])) for row in log_of(undisturbed)]


def test_a_cache_that_holds_a_few_clips_gives_the_same_network(two_classes, undisturbed, tmp_path, capsys):
    options = ("--window_seconds", 0.1, "--epochs", 3, "--cache_path", tmp_path / "cache", "--cache_bytes", 20_000)
    assert train(two_classes, tmp_path, *options) == 0
    assert "has room for 4 of 12 clips; see --cache-bytes" in capsys.readouterr().err
    assert sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.npz")) <= 20_000
    one, two = last(undisturbed)["model_state_dict"], last(tmp_path)["model_state_dict"]
    assert all(torch.equal(one[name], two[name]) for name in one)
