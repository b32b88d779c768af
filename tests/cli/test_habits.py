"""What people do with a command line: pipes, odd names, folders in lists, one run after the other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import MUSIC, ROOT, run

from torch_zoo.utils.media.audio import open_audio
from torch_zoo.utils.sinks import failures
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.terminal.about import About
from torch_zoo.utils.terminal.progress import Progress, Reporting
from torch_zoo.utils.types import Outcome, Source


def test_a_reader_that_leaves_ends_the_run_without_a_traceback():
    arguments = (
        f"feature_type=vggish checkpoint=random device=cpu batch_size=1 video_paths=[{MUSIC},./sample/speech.mp4]"
    )
    with subprocess.Popen(
        [sys.executable, "main.py", *arguments.split()],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert "Traceback" not in errors
    assert "error: stdout: Broken pipe" in errors or process.returncode == 0
    assert process.returncode in (0, 1)  # 0: all was printed before the reader left


def test_a_colon_in_a_name_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / MUSIC, "12:30.mp4")
    for decoder in ("pyav", "ffmpeg"):
        with open_audio(Source("12:30.mp4", "x"), decoder) as audio:
            assert sum(block.shape[1] for block in audio.blocks) > 11 * audio.rate


def test_a_folder_in_a_list_expands(tmp_path):
    (tmp_path / "more").mkdir()
    for name in ("b.mp4", "a.wav", "notes.txt"):
        (tmp_path / "more" / name).touch()
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'more'}\n")
    sources = Inputs(file_with_video_paths=str(tmp_path / "list.txt")).select().sources
    assert [Path(source.path).name for source in sources] == ["a.wav", "b.mp4"]


def progress_of(folder, kind, destination="", **about):
    about = About(feature_type="vggish", destination=destination, **about)
    return Progress(Reporting(folder=str(folder), progress=kind), about)


def test_only_runs_that_save_touch_the_list_of_failures(tmp_path):
    a = Source("a.mp4", "a")
    for status, destination, listed in (
        ("failed", str(tmp_path), True),
        ("done", "", True),
        ("done", str(tmp_path), False),
    ):
        with progress_of(tmp_path, "off", destination) as progress:
            progress.add(Outcome(a, status, ""))
        assert (tmp_path / "failures.csv").exists() is listed


@pytest.mark.parametrize(("status", "counts"), [("failed", "1 failed (1 missing)"), ("missing", "0 failed, 1 missing")])
def test_missing_files_are_one_line_and_failures_only_if_asked_for(status, counts, tmp_path, capsys):
    before = Outcome(Source("b.mp4", "b"), "failed", "truncated")
    failures.update(str(tmp_path), {"b"}, [before])
    with progress_of(tmp_path, "log", str(tmp_path), notes=["read as x"], shard="shard 1 of 2") as progress:
        progress.add_missing([Outcome(Source(f"{name}.mp4", name), status, "no such file") for name in "b"])
    said = capsys.readouterr().err
    assert said.startswith("read as x\n1 source is missing, e.g. b.mp4: no such file\n")
    assert f"0 done, 0 skipped, 0 empty, {counts}; " in said
    assert "shard 1 of 2\n" in said
    assert progress.failed == (status == "failed")
    listed = (tmp_path / "failures.csv").read_text().splitlines()[1:]
    assert listed == [f"b.mp4,0.0,,b,{'no such file' if status == 'failed' else 'truncated'},"]


def test_a_list_of_failures_that_cannot_be_written_is_said_and_no_more(tmp_path, capsys):
    (tmp_path / "taken").touch()
    folder = str(tmp_path / "taken" / "vggish")
    with progress_of(folder, "off", folder) as progress:
        progress.add(Outcome(Source("a.mp4", "a"), "failed", "no audio stream"))
    said = capsys.readouterr().err
    assert "a.mp4: no audio stream" in said
    assert "can't be written: Not a directory" in said


def test_segments_are_named_and_secrets_are_not(tmp_path, capsys):
    url = Source("https://me:pass@host/a.mp4?token=secret", "a", 30.0, 40.5)
    with progress_of(tmp_path, "log", str(tmp_path)) as progress:
        progress.add(Outcome(url, "failed", "truncated"))
        progress.add(Outcome(Source("b.mp4", "b_2_end", 2.0), "failed", "truncated"))
    said = capsys.readouterr().err
    for label in ("https://***@host/a.mp4?*** [30\N{EN DASH}40.5 s]", "b.mp4 [2\N{EN DASH}end]"):
        assert f"failed: {label}: truncated" in said
    assert "pass" not in (written := (tmp_path / "failures.csv").read_text())
    assert "secret" not in written


def test_a_failure_whose_name_is_not_utf_8_is_listed(tmp_path):
    path = tmp_path / "\udcff.mp4"
    with progress_of(tmp_path, "off", str(tmp_path)) as progress:
        progress.add(Outcome(Source(str(path), path.stem), "failed", "truncated"))
    path.touch()
    assert [
        source.path for source in Inputs(file_with_video_paths=str(tmp_path / "failures.csv")).select().sources
    ] == [str(path)]


def test_the_summary_says_where_the_features_are(tmp_path, capsys):
    for destination in (str(tmp_path / "vggish"), ""):
        with progress_of(tmp_path, "off", destination) as progress:
            progress.add(Outcome(Source("a.mp4", "a"), "done"))
        assert ("features are in" in capsys.readouterr().err) is bool(destination)


def test_half_precision_weights_are_widened(tmp_path, formula_weights):
    import torch

    weights = tmp_path / "half.pth"
    torch.save({key: tensor.half() for key, tensor in formula_weights.items()}, weights)
    result = run("feature_type=vggish", "device=cpu", f"checkpoint={weights}", f"video_paths={MUSIC}")
    assert result.code == 0, result.stderr
