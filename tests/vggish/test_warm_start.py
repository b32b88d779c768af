"""The classifier on VGGish: training, saving, prediction and the command line."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from command import ROOT
from media_maker import noise_and_tone, write_media

from torch_zoo.models.vggish import training
from torch_zoo.models.vggish.classifier import Classifier
from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.models.vggish.tasks import Synthetic, examples_of
from torch_zoo.utils.training.labeled import Labeled, batches, concatenated
from torch_zoo.utils.training.learner import Learner, sigmoid_loss
from torch_zoo.utils.training.metrics import accuracy
from torch_zoo.utils.types import UsageError

RATE = 16_000
CLASSES = ("sine", "ramp", "noise")
RANDOM = VGGishExtractor(checkpoint="random")


@pytest.fixture(scope="module")
def synthetic() -> Labeled:
    """20 batches of the synthetic task, concatenated."""
    batches = Synthetic(seed=0).epoch(np.random.default_rng(0))
    return concatenated(next(batches) for _ in range(20))


@pytest.fixture(scope="module")
def frozen(synthetic: Labeled) -> tuple[Classifier, Labeled]:
    """A model whose head was trained on the synthetic task with VGGish frozen, and its training embeddings."""
    model = Classifier.start(RANDOM.weights, CLASSES, seed=0)
    embeddings = training.embed([synthetic], "training", RANDOM, "cpu", threads=2)
    learner, stream = training.head_only(model, 1e-3), training.endless_embeddings(embeddings, np.random.default_rng(0))
    for batch in islice(stream, 1500):
        learner.step(batch)
    return model, embeddings


@pytest.fixture(scope="module")
def saved(frozen: tuple[Classifier, Labeled], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.pt"
    frozen[0].save(path)
    return path


def warm_start(*arguments: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch_zoo.models.vggish.warm_start", *map(str, arguments)]
    given = {**os.environ, "CUDA_VISIBLE_DEVICES": "", **(environment or {})}
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=200)


def changed(before: dict[str, torch.Tensor], model: torch.nn.Module) -> set[str]:
    return {name for name, value in model.state_dict().items() if not torch.equal(before[name], value)}


def test_a_frozen_vggish_gets_no_gradients_and_keeps_its_values(frozen, synthetic):
    model = Classifier.start(RANDOM.weights, CLASSES, seed=0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    training.head_only(model, 1e-4).step(next(training.endless_embeddings(frozen[1], np.random.default_rng(0))))
    assert changed(before, model) == {"head.0.weight", "head.0.bias", "head.2.weight", "head.2.bias"}
    sigmoid_loss(model(torch.from_numpy(synthetic.inputs[:2])), torch.from_numpy(synthetic.labels[:2])).sum().backward()
    assert all(parameter.grad is None for parameter in model.vggish.parameters())
    assert all(parameter.grad is not None for parameter in model.head.parameters())


def test_fine_tuning_updates_every_layer_and_leaves_the_checkpoint_unchanged(formula_checkpoint):
    model = Classifier.start(VGGishExtractor(checkpoint=str(formula_checkpoint)).weights, CLASSES, seed=0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    file = formula_checkpoint.read_bytes()
    training.all_layers(model, 1e-4).step(next(training.endless_examples(Synthetic(seed=0), np.random.default_rng(0))))
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.vggish.parameters())
    assert changed(before, model) == set(before)
    assert formula_checkpoint.read_bytes() == file


def test_the_frozen_model_classifies_new_signals(frozen):
    held_out = Synthetic(seed=1).validation
    inputs, labels = held_out.inputs[:150], held_out.labels[:150]
    logits = frozen[0].logits(inputs, "cpu")
    assert accuracy(logits, labels) >= 0.99
    embeddings = training.embed([Labeled(inputs, labels)], "validation", RANDOM, "cpu", threads=2)
    validation = Learner(frozen[0].head.requires_grad_(True), sigmoid_loss, 1e-4).validate(batches(embeddings, 64))
    assert validation.accuracy == accuracy(logits, labels)


def test_training_embeddings_are_those_of_the_network(frozen, synthetic):
    model, embeddings = frozen
    with torch.no_grad():
        expected = model.vggish(torch.from_numpy(synthetic.inputs[:15])).numpy()
    np.testing.assert_allclose(embeddings.inputs[:15], expected, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(embeddings.labels, synthetic.labels)


def test_every_step_is_determined_by_the_seed(frozen):
    def losses(seed: int) -> list[float]:
        model = Classifier.start(RANDOM.weights, CLASSES, seed)
        learner = training.head_only(model, 1e-4)
        stream = training.endless_embeddings(frozen[1], np.random.default_rng(seed))
        return [learner.step(batch).loss for batch in islice(stream, 20)]

    assert losses(3) == losses(3) != losses(4)


def test_the_head_is_googles():
    model = Classifier.start(RANDOM.weights, CLASSES, seed=0)
    hidden, relu, logits = model.head
    assert isinstance(relu, torch.nn.ReLU)
    for layer, (inputs, outputs) in ((hidden, (128, 100)), (logits, (100, 3))):
        assert layer.weight.shape == (outputs, inputs)
        bound = np.sqrt(6.0 / (inputs + outputs))  # Glorot & Bengio 2010, equation 16
        assert 0.9 * bound < layer.weight.abs().max() <= bound
        assert not layer.bias.any()


def test_a_saved_model_gives_the_same_scores(frozen, saved, synthetic):
    again = Classifier.load(saved)
    assert again.classes == CLASSES
    assert again.scores(synthetic.inputs[:5]) == frozen[0].scores(synthetic.inputs[:5])
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_scores_are_the_mean_of_the_sigmoid_over_windows(frozen, synthetic):
    logits = frozen[0].logits(synthetic.inputs[:5], "cpu").astype(float)
    expected = (1 / (1 + np.exp(-logits))).mean(axis=0)
    assert list(frozen[0].scores(synthetic.inputs[:5]).values()) == pytest.approx(list(expected), abs=1e-6)


def test_files_that_are_not_models_are_refused(tmp_path, formula_checkpoint):
    (tmp_path / "text.pt").write_text("hello")
    for path in (tmp_path / "text.pt", formula_checkpoint):
        with pytest.raises(UsageError, match=r"not a model\.pt that training saved"):
            Classifier.load(path)
    with pytest.raises(UsageError, match="no such file"):
        Classifier.load(tmp_path / "none.pt")


def test_commands_train_save_and_predict(tmp_path):
    sounds = tmp_path / "sounds"
    for number, name in enumerate(("cat/0.wav", "cat/1.wav", "dog/0.wav")):
        (sounds / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(sounds / name, noise_and_tone(2.0, RATE, 1, number), RATE)
    write_media(sounds / "dog" / "video.mp4", noise_and_tone(2.0, 44100), 44100, "aac", picture="mpeg4")
    options = ("--checkpoint", "random", "--steps", 30, "--output_path", tmp_path / "out", "--device", "cpu")
    result = warm_start("train", sounds, *options)
    assert result.returncode == 0, result.stderr
    assert "step 30 of 30: loss " in result.stderr
    first, second, network, *_ = result.stderr.splitlines()
    assert first == f"{sounds}: 4 files of 2 classes; a fifth of each class is for validation"
    assert second == "loading PyTorch and VGGish"
    assert re.fullmatch(
        r"VGGish, random weights \(seed 0\), on cpu \(\d+ cores\); only the head is trained: 13,102 of 72,154,286 "
        "parameters",
        network,
    )
    assert result.stderr.count("; validation: loss ") == 10
    assert result.stdout == ""
    folder = tmp_path / "out" / "warm_start"
    files = ["confusion.csv", "loss.csv", "mistakes.csv", "model.pt", "report.html", "report.png"]
    assert sorted(path.name for path in folder.iterdir()) == files
    with (folder / "loss.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == [str(number) for number in range(1, 31)]
    assert all(float(row["loss"]) > 0 and 0 <= float(row["accuracy"]) <= 1 for row in rows)
    validated = {row["step"]: float(row["validation_accuracy"]) for row in rows if row["validation_accuracy"]}
    assert list(validated) == [str(number) for number in range(3, 31, 3)]
    assert all(0 <= share <= 1 for share in validated.values())
    assert [row["step"] for row in rows if row["validation_loss"]] == list(validated)
    with (folder / "confusion.csv").open(newline="") as file:
        assert sum(int(row[name]) for row in csv.DictReader(file) for name in ("cat", "dog")) == 2  # a fifth, or one

    clip, missing = sounds / "dog" / "video.mp4", tmp_path / "none.wav"
    predicted = warm_start("predict", folder / "model.pt", clip, missing)
    assert predicted.returncode == 1
    assert predicted.stderr.count("\n") == 1
    assert f"{missing}: cannot be opened" in predicted.stderr
    path, *ranked = predicted.stdout.strip().split("\t")
    assert path == str(clip)
    scores = {name: float(score) for name, score in (text.rsplit(" ", 1) for text in ranked)}
    expected = Classifier.load(folder / "model.pt").scores(examples_of(clip, VGGishExtractor()))
    assert scores == pytest.approx(expected, abs=1e-3)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)

    again = warm_start("train", sounds, *options)
    assert again.returncode == 2
    assert "already exists; replace it with --overwrite" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "nowhere"), "nowhere: no such folder"),
        (("train", "synthetic", "--checkpoint", "nowhere.pth"), "--checkpoint nowhere.pth: no such file"),
        (("train", "synthetic", "--checkpoint", "LICENSE"), "LICENSE: not a readable PyTorch file"),
        (("train", "synthetic", "--device", "cuda", "--checkpoint", "random"), "--device cuda, but no CUDA device is"),
        (("train", "synthetic", "--steps", "0"), "0: must be a finite number, 1 or more"),
        (("train", "synthetic", "--learning_rate", "nan"), "nan: must be a finite number, 0 or more"),
        (("train", "synthetic", "--output_path", "LICENSE"), "--output-path LICENSE: "),
        (("predict", "LICENSE", "clip.mp4"), "LICENSE: not a model.pt that training saved"),
    ],
)
def test_wrong_options_are_reported_in_one_line(arguments, said, tmp_path):
    place = () if "--output_path" in arguments or arguments[0] == "predict" else ("--output_path", tmp_path)
    result = warm_start(*arguments, *place)
    assert result.returncode == 2
    *_, line = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_missing_weights_suggest_an_option_of_this_command(tmp_path):
    environment = {"TORCH_HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:9"}
    result = warm_start("train", "synthetic", "--output_path", tmp_path, environment=environment)
    assert result.returncode == 2
    *_, line = result.stderr.splitlines()
    assert "name it with --checkpoint PATH" in line
    assert "--checkpoint demo and --checkpoint random run without it" in line
