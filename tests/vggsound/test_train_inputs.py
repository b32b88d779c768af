"""What training starts from, what it takes, and what it says of wrong options and data."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from command import ROOT
from sound_classes import write_classes

from torch_zoo.models.vggsound import training
from torch_zoo.models.vggsound.initialization import initialize
from torch_zoo.models.vggsound.network import VGGSound
from torch_zoo.models.vggsound.train import main
from torch_zoo.models.vggsound.trainable import Trainable
from torch_zoo.utils.training.run_folder import RunFolder

MODULE = "torch_zoo.models.vggsound.train"
SHORT = ("--window_seconds", "0.1", "--pooling", "avgpool", "--epochs", "1", "--batch_size", "8", "--device", "cpu")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, a file that is no sound, and one that is empty."""
    folder = write_classes(tmp_path_factory.mktemp("two") / "sounds", 6, 0.1, names=("hiss", "whistle"))
    (folder / "hiss" / "text.wav").write_text("hello")
    return folder


def options(sounds: Path, output: Path) -> list[str]:
    return [str(sounds), *SHORT, "--output_path", str(output), "--cache_path", str(output / "cache")]


def test_clips_that_can_not_be_read_are_listed_and_two_processes_train_as_one(sounds, tmp_path, capsys):
    with patch.object(training, "cpu_cores", return_value=1):
        assert main(options(sounds, tmp_path / "one")) == 0
    said = capsys.readouterr().err
    first, second, network, *_ = said.splitlines()
    divided = "13 divided at random, a fifth of each class for validation"
    assert first == f"{sounds}: 13 clips of 2 classes: {divided}"
    assert second == "loading PyTorch"
    assert network.startswith("resnet18 with avgpool, random weights (seed 0), on cpu (")
    assert network.endswith(" cores); all layers are trained: 11,171,266 of 11,171,266 parameters")
    assert "2 classes; 10 clips to train with, 2 to validate" in said
    assert f"1 clips are skipped, as listed in {tmp_path}/one/training/skipped.csv" in said
    assert f"{sounds}/hiss/text.wav: not a media file" in said
    assert f'{sounds}/hiss/text.wav,0,,"not a media file' in (tmp_path / "one/training/skipped.csv").read_text()

    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", MODULE]
    result = subprocess.run(
        [*command, *options(sounds, tmp_path / "two")], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("epoch 1 of 1: loss") == result.stderr.count(", in 2 processes; all layers are") == 1
    logs = [
        (tmp_path / name / "training" / "log.csv").read_text().splitlines()[1].split(",") for name in ("one", "two")
    ]
    one, two = (np.array(row[:-1], float) for row in logs)
    np.testing.assert_allclose(two, one, rtol=1e-4)
    assert sorted(path.name for path in (tmp_path / "two" / "training").iterdir()) == [
        "best.pth.tar",
        "classes.txt",
        "confusion.csv",
        "last.pth.tar",
        "log.csv",
        "mistakes.csv",
        "report.html",
        "report.png",
        "skipped.csv",
    ]
    for name in ("confusion.csv", "mistakes.csv"):
        one, two = ((tmp_path / output / "training" / name).read_text() for output in ("one", "two"))
        assert re.sub(r",0\.\d+", "", one) == re.sub(r",0\.\d+", "", two)  # probabilities are rounded differently


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["list.csv", "--validation", "none.csv"], "list.csv: No such file"),
        (["sounds", "--validation", "test.csv"], "--validation belongs to a list of clips, and sounds is a folder"),
        (["sounds", "--window_seconds", "0"], "--window-seconds 0: must be a number of seconds from 0.032"),
        (["sounds", "--model", "vggish", "--window_seconds", "0.5"], "VGGish needs 0.96 or more"),
        (["sounds", "--model", "vggish", "--window_seconds", "nan"], "nan: must be a finite number, 0 or more"),
        (["sounds", "--epochs", "0"], "0: must be a finite number, 1 or more"),
        (["sounds", "--resume"], "so there is no run to --resume"),
        (["sounds", "--checkpoint", "nowhere.pth"], "--checkpoint nowhere.pth: no such file"),
        (["sounds", "--labels", "three.txt"], "class 'bell': 0 usable clips, none of them to train with"),
    ],
)
def test_wrong_options_are_reported_in_one_line(arguments, said, sounds, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sounds").symlink_to(sounds)
    (tmp_path / "three.txt").write_text("hiss\nbell\nwhistle\n")
    assert main([*arguments, "--device", "cpu"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert said in line
    assert not (tmp_path / "output").exists()


def test_two_processes_report_a_wrong_option_once():
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", MODULE]
    result = subprocess.run([*command, "nowhere", *SHORT], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert result.returncode != 0
    assert result.stderr.count("error: nowhere: no such folder") == 1


def test_help_does_not_wait_for_torch():
    program = (
        f"import sys; from {MODULE} import main; code = main(['--help']); sys.exit(code or 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "--cache-bytes" in result.stdout


def test_a_checkpoint_of_other_classes_or_pooling_is_refused(sounds, tmp_path, capsys):
    state = VGGSound("resnet18", "avgpool", 3).state_dict()
    torch.save({"model_state_dict": state}, tmp_path / "three.pth.tar")
    assert main([*options(sounds, tmp_path), "--checkpoint", str(tmp_path / "three.pth.tar")]) == 2
    assert "three.pth.tar: holds a network of 3 classes instead of 2; --labels must be" in capsys.readouterr().err
    another = ["--checkpoint", str(tmp_path / "three.pth.tar"), "--pooling", "netvlad"]
    assert main([*options(sounds, tmp_path), *another]) == 2
    assert "three.pth.tar: holds a network with avgpool; --pooling must be avgpool" in capsys.readouterr().err


def test_training_starts_from_the_weights_of_a_checkpoint(tmp_path):
    torch.manual_seed(1)
    state = initialize(VGGSound("resnet18", "netvlad", 2)).state_dict()
    torch.save({"model_state_dict": state}, tmp_path / "start.pth.tar")
    start = Trainable(
        model="resnet18", pooling="netvlad", window_seconds=1, checkpoint=str(tmp_path / "start.pth.tar"), seed=0
    )
    network = start.network(("cat", "dog"))
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, network.network.state_dict()[name]) for name, tensor in state.items())


def test_the_commands_of_the_documentation_work(sounds, tmp_path, monkeypatch):
    """On two classes of short sounds, for one epoch."""
    page = (ROOT / "docs/vggsound.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL))
    commands = set(re.findall(r"^python -m torch_zoo\.models\.vggsound\.train (.*)$", blocks, re.MULTILINE))
    assert commands == {"my_sounds"}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_sounds").symlink_to(sounds)
    for arguments in commands:
        assert main([*arguments.split(), *SHORT]) == 0
    assert {"best.pth.tar", "classes.txt"} <= {path.name for path in (tmp_path / "output" / "training").iterdir()}


def test_missing_tensorboard_is_one_line(capsys):
    with patch("torch_zoo.utils.extras.find_spec", return_value=None):
        assert main(["sounds", "--tensorboard"]) == 2
    assert capsys.readouterr().err == 'error: TensorBoard is missing: pip install "torch-zoo[tensorboard]"\n'


def test_a_file_that_is_no_checkpoint_can_not_be_resumed(sounds, tmp_path, capsys):
    folder = RunFolder(str(tmp_path / "training"))
    folder.write_skipped({})
    folder.save("last.pth.tar", {"other": 1})
    assert main([*options(sounds, tmp_path), "--resume"]) == 2
    assert "last.pth.tar: not a checkpoint that this version can resume, or damaged" in capsys.readouterr().err


def test_random_weights_are_those_that_were_published():
    torch.manual_seed(0)
    net = initialize(VGGSound("resnet34", "netvlad", 10)).audnet
    convolution = net.layer4[1].conv2.weight  # 512 x 512 x 3 x 3
    assert convolution.std().item() == pytest.approx(np.sqrt(2 / (512 * 9)), rel=0.01)  # He et al. 2015, fan-out
    scales = torch.cat([module.weight for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)])
    assert scales.mean().item() == pytest.approx(1, abs=0.002)
    assert scales.std().item() == pytest.approx(0.02, rel=0.05)
    vlad = net.avgpool
    centroids, weight, bias = (each.detach().double().numpy() for each in (vlad.centroids, *vlad.conv.parameters()))
    np.testing.assert_allclose(weight[:, :, 0, 0], 200 * centroids, rtol=1e-6)
    np.testing.assert_allclose(bias, -100 * np.sqrt((centroids**2).sum(1)), rtol=1e-6)


def test_the_seed_determines_the_weights():
    def weights(seed: int) -> bytes:
        start = Trainable(model="resnet18", pooling="avgpool", window_seconds=1, checkpoint="random", seed=seed)
        return b"".join(each.detach().numpy().tobytes() for each in start.network(("cat", "dog")).parameters())

    assert weights(0) == weights(0) != weights(1)


def test_vggish_scores_a_clip_by_the_mean_over_its_windows():
    trainable = Trainable(model="vggish", pooling="netvlad", window_seconds=2, checkpoint="random", seed=0)
    assert trainable.front_end.shape == (2, 1, 96, 64)
    network = trainable.network(("cat", "cow", "dog"))
    clips = torch.randn(3, *trainable.front_end.shape, generator=torch.Generator().manual_seed(0))
    logits = network(clips)
    with torch.no_grad():
        expected = torch.stack([network.network(clip).mean(0) for clip in clips])
    np.testing.assert_allclose(logits.detach(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    logits.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
