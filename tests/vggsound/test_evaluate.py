"""python -m torch_zoo.models.vggsound.evaluate: what it prints and writes, and what it refuses."""

from __future__ import annotations

import csv
import re
import shutil
import sys
from pathlib import Path

import fsspec
import numpy as np
import predictions_maker as maker
import pytest

from torch_zoo.models.vggsound import evaluate

sklearn_metrics = pytest.importorskip("sklearn.metrics")
pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[2]
USUAL = ("predictions", "test.csv", "--labels", "classes.txt")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one, with predictions and the lists."""
    maker.write_data_set(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr."""
    assert evaluate.main(arguments) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if "clips/s" not in line and "it/s" not in line and line.strip()]
    assert (out, len(lines)) == ("", 1), err
    return lines[0]


def test_metrics_are_printed_and_saved(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert evaluate.main([*USUAL, "--output_path", "out"]) == 0
    out, err = capsys.readouterr()
    printed = {
        name: [float(number) for number in numbers]
        for name, *numbers in re.findall(r"^(\S+): ([\d.]+) \[([\d.]+), ([\d.]+)\]$", out, re.MULTILINE)
    }
    assert list(printed) == ["mAP", "mAUC", "dprime", "top-1", "top-5"]
    assert all(low < value < high for value, low, high in printed.values())
    scores, target = maker.scores_and_target()
    one_hot = np.eye(len(maker.CLASSES))[target]
    ap = sklearn_metrics.average_precision_score(one_hot, scores, average=None)
    assert printed["mAP"][0] == pytest.approx(ap.mean(), abs=6e-5)
    assert printed["mAUC"][0] == pytest.approx(sklearn_metrics.roc_auc_score(one_hot, scores), abs=6e-5)
    assert printed["top-1"][0] == pytest.approx((scores.argmax(axis=1) == target).mean(), abs=6e-5)

    with (folder / "out" / "classes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list(maker.CLASSES)
    assert [int(row["clips"]) for row in rows] == np.bincount(target).tolist()
    np.testing.assert_allclose([float(row["ap"]) for row in rows], ap, rtol=0, atol=1e-12)
    first = target == 0
    assert float(rows[0]["top_1"]) == pytest.approx((scores[first].argmax(axis=1) == 0).mean())
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["classes.csv", "report.html"]
    assert "90 clips of 6 classes; 95 % intervals from 1,000 bootstrap resamples" in err


def test_the_report_is_the_same_each_time(folder: Path) -> None:
    for output in ("a", "b"):
        assert evaluate.main([*USUAL, "--resamples", "20", "--output-path", output]) == 0
    assert (folder / "a" / "report.html").read_text() == (folder / "b" / "report.html").read_text()


def test_missing_predictions_are_refused_or_left_out(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    for name in maker.names()[3:5]:
        (folder / "predictions" / f"{name}.mp4.npy").unlink()
    assert refused(capsys, *USUAL) == (
        "error: predictions has no prediction of AbCdEfGhI03_000003 and 1 more of the 90 clips of test.csv; "
        "--allow-missing evaluates the rest"
    )
    assert evaluate.main([*USUAL, "--allow-missing", "--resamples", "20"]) == 0
    assert "88 clips of 6 classes" in (err := capsys.readouterr().err)
    assert "2 clips without a prediction are left out" in err


def test_a_subset_of_classes_and_one_without_a_clip(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "only.txt").write_text("\n".join(maker.CLASSES[:4]))
    scores, target = maker.scores_and_target()
    kept = range(4)
    horn = maker.CLASSES.index("air horn")
    listed = (folder / "test.csv").read_text().split("\n")
    (folder / "test.csv").write_text("\n".join(line for line in listed if "air horn" not in line))
    assert evaluate.main([*USUAL, "--only", "only.txt", "--resamples", "20"]) == 0
    out, err = capsys.readouterr()
    clips = np.isin(target, kept) & (target != horn)
    narrow, expected = scores[clips][:, kept], target[clips]
    ap = [sklearn_metrics.average_precision_score(expected == one, narrow[:, one]) for one in kept if one != horn]
    assert f"mAP: {np.mean(ap):.4f} " in out
    assert f"top-1: {(narrow.argmax(axis=1) == expected).mean():.4f} " in out
    assert "1 classes without a clip are left out of the means; top-k ranks all classes" in err


def test_perfect_predictions(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    _, target = maker.scores_and_target()
    for name, row in zip(maker.names(), np.eye(len(maker.CLASSES))[target], strict=True):
        np.save(folder / "predictions" / f"{name}.mp4.npy", row)
    assert evaluate.main([*USUAL, "--resamples", "20"]) == 0
    out = capsys.readouterr().out
    assert out.count(": 1.0000 [1.0000, 1.0000]") == 4
    assert "dprime: inf [inf, inf]" in out
    assert ">\N{INFINITY}<" in Path("output/evaluation/report.html").read_text(encoding="utf-8")


def test_predictions_and_report_may_be_in_object_storage(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(folder / "predictions") + "/", "/evaluated/predictions/", recursive=True)
    try:
        arguments = ("memory://evaluated/predictions", *USUAL[1:], "--output-path", "memory://evaluated/out")
        assert evaluate.main([*arguments, "--resamples", "20"]) == 0
        assert memory.cat("/evaluated/out/report.html").startswith(b"<!DOCTYPE html>")
    finally:
        memory.rm("/evaluated", recursive=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none", *USUAL[1:]), "none: no such folder, or nothing in it"),
        ((".", *USUAL[1:]), r"\. has no prediction of any clip of test\.csv, such as AbCdEfGhI00_000000"),
        ((*USUAL[:2], "--labels", "test.csv"), "row 2|unknown class"),
        (
            (*USUAL, "--only", "other.txt"),
            r"--only other\.txt: unknown class 'dog'; the classes are those of --labels",
        ),
        ((*USUAL, "--only", "one.txt"), r"the \d+ clips to evaluate must be of two classes or more"),
        ((*USUAL, "--resamples", "19"), "--resamples must be 20 or more"),
        ((*USUAL, "--resample", "9"), "unrecognized arguments: --resample 9; --help shows all options"),
    ],
    ids=["folder", "other folder", "classes", "unknown", "one class", "resamples", "option"],
)
def test_what_is_wrong_is_one_line(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "other.txt").write_text("air horn\ndog\n")
    (folder / "one.txt").write_text("air horn\n")
    assert re.search(message, refused(capsys, *arguments))


@pytest.mark.parametrize(
    ("module", "name"), [("sklearn", "scikit-learn"), ("scipy", "SciPy"), ("matplotlib", "Matplotlib")]
)
def test_a_missing_library_is_one_line_that_names_the_extra(
    module: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert refused(capsys, *USUAL) == f'error: {name} is missing: pip install "torch-zoo[evaluation]"'


def test_the_commands_of_the_documentation_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the made-up data under the names of the files; only VGGSound's own list of classes is not downloaded."""
    page = (ROOT / "docs/vggsound.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python -m torch_zoo\.models\.vggsound\.evaluate (.*)$", page, re.MULTILINE)
    assert len(set(commands)) == 4
    monkeypatch.setattr(evaluate, "verified", lambda *_: (folder / "classes.txt", ""))
    (folder / "Common.txt").write_text("\n".join(maker.CLASSES[1:]))
    shutil.copy("test.csv", "AStest.csv")
    for place in ("output/vggsound", "output/H/vggsound", "output/I/vggsound"):
        shutil.copytree("predictions", place)
    for arguments in set(commands):
        assert evaluate.main([*arguments.split(), "--resamples", "20"]) == 0
    reports = {path.parent.relative_to("output").as_posix() for path in Path("output").rglob("report.html")}
    assert reports == {"evaluation", "ASTest", "evaluation/H", "evaluation/I"}
