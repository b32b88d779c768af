"""`dry_run=true` as users meet it: what it finds, its exit code, and that it writes nothing."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from actors import Doubler, Tell
from command import ROOT, Result, run, run_each
from documentation import blocks, execute, page, prepare
from media_maker import write_mono

from torch_zoo.utils import storage
from torch_zoo.utils.dry_run.run import DryRun
from torch_zoo.utils.types import UsageError

SPEECH, MUSIC = ROOT / "sample/speech.mp4", ROOT / "sample/music.mp4"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two to extract, and one of each thing that is wrong; `gone.wav` is only in the list."""
    folder = tmp_path_factory.mktemp("media")
    write_mono(folder / "a.wav", 10.0)
    shutil.copy(SPEECH, folder / "b.mp4")
    write_mono(folder / "short.wav", 0.5)
    (folder / "text.mp3").write_text("no sound at all")
    names = ["a.wav", "b.mp4", "short.wav", "text.mp3", "gone.wav"]
    (folder / "list.csv").write_text("path\n" + "".join(f"{folder / name}\n" for name in names))
    return folder


def arguments(media: Path, *more: object) -> list[str]:
    common = ["feature_type=vggish", f"file_with_video_paths={media / 'list.csv'}", "dry_run=true"]
    return [*common, *map(str, more)]


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Names, times and bytes of all files."""
    files = (folder / name for name in storage.listing(str(folder)))
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


@pytest.fixture(scope="module")
def looked(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Result, Path]]:
    """A dry run without weights; they could not be downloaded either."""
    folder = tmp_path_factory.mktemp("looked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(folder / "torch"))
        patch.setenv("https_proxy", "http://127.0.0.1:9")
        [result] = run_each(
            [
                arguments(
                    media,
                    f"output_path={folder / 'output'}",
                    f"tmp_path={folder / 'tmp'}",
                    f"dry_run_table={folder / 'plan.parquet'}",
                    "on_extraction=save_numpy",
                    "keep_tmp_files=true",
                    "device=cuda",  # there need be none
                )
            ]
        )
    yield result, folder


def test_what_was_found(looked: tuple[Result, Path], media: Path) -> None:
    result, folder = looked
    assert result.code == 1
    assert result.stdout.splitlines()[:9] == [
        "finding           sources  example",
        f"to extract              2  {media}/a.wav: pcm_16 16000 Hz; 10.00 s; vggish (10, 128)",
        f"too short               1  {media}/short.wav: shorter than one window of 0.96 s; last_window=pad pads it "
        "with silence; pcm_16 16000 Hz; 0.50 s; vggish (0, 128)",
        f"missing                 1  {media}/gone.wav: no such file",
        f"unreadable              1  {media}/text.mp3: not a media file, or damaged at its start (Invalid data found "
        "when processing input)",
        "2 would fail:",
        f"  {media}/text.mp3: not a media file, or damaged at its start (Invalid data found when processing input)",
        f"  {media}/gone.wav: no such file",
        "to extract: about 0:00:30 of media, about 30 rows",
    ]
    decoding, output = result.stdout.splitlines()[9:]
    assert decoding.startswith("decoding alone: about ")
    assert output.endswith(f" in {folder}/output/vggish")


def test_nothing_is_written_but_the_table(looked: tuple[Result, Path]) -> None:
    result, folder = looked
    assert [path.name for path in folder.iterdir()] == ["plan.parquet"]
    assert not result.torch


def test_the_table_has_all_that_was_found(looked: tuple[Result, Path]) -> None:
    rows = pq.read_table(looked[1] / "plan.parquet").to_pylist()
    found = [(row["name"], row["finding"], row["fails"], row["rows"], row["exact"], row["shapes"]) for row in rows]
    assert found == [
        ("a", "to extract", False, 10, True, "vggish (10, 128)"),
        ("b", "to extract", False, 20, False, "vggish (20, 128)"),
        ("short", "too short", False, 0, True, "vggish (0, 128)"),
        ("text", "unreadable", True, None, None, ""),
        ("gone", "missing", True, None, None, ""),
    ]
    assert (rows[1]["rate"], rows[1]["seconds"]) == (44100, pytest.approx(19.8, abs=0.01))


def test_the_table_as_csv_is_a_list(media: Path, tmp_path: Path) -> None:
    table = tmp_path / "plan.csv"
    assert run(*arguments(media, f"dry_run_table={table}")).code == 1
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["finding"] for row in rows] == ["to extract", "to extract", "too short", "unreadable", "missing"]
    good = tmp_path / "good.csv"
    good.write_text("".join(table.read_text().splitlines(keepends=True)[:4]))
    result = run("feature_type=vggish", f"file_with_video_paths={good}", "dry_run=true", "missing=refuse")
    assert result.code == 0
    assert "nothing is stored" in result.stdout
    [part] = run_each([["feature_type=vggish", f"file_with_video_paths={good}", "dry_run=true", "shard=1/2"]])
    assert re.fullmatch(r"shard 1 of 2: \d of 3 sources\n", part.stderr)


def test_what_a_folder_says_is_seen_and_stays_as_it_is(media: Path, tmp_path: Path) -> None:
    sources = tmp_path / "media"
    sources.mkdir()
    for name in ("a.wav", "b.mp4", "text.mp3"):
        shutil.copy(media / name, sources)
    command = ["feature_type=vggish", f"video_paths={sources}", "on_extraction=save_numpy", "device=cpu"]
    command += [f"output_path={tmp_path / 'output'}", "checkpoint=random"]
    assert run(*command).code == 1
    write_mono(sources / "a.wav", 5.0)
    shutil.copy(MUSIC, sources / "c.mp4")
    before = content(tmp_path)

    asked = ([], ["hop_seconds=0.48"], ["overwrite=true"])
    result, refused, again = run_each([[*command, "dry_run=true", *more] for more in asked])
    assert result.code == 1
    found = [line[:25].split("  ")[0] for line in result.stdout.splitlines()[1:5]]
    assert found == ["to extract", "done", "name clash", "failed before"]
    assert f"  {sources}/a.wav: it has changed since {tmp_path}/output/vggish got a from it" in result.stdout
    assert (refused.code, "hop_seconds=0.96 (now 0.48)" in refused.stderr) == (2, True)
    assert [line.split("  ")[0] for line in again.stdout.splitlines()[1:3]] == ["to extract", "unreadable"]
    assert content(tmp_path) == before


def test_an_extractor_that_cannot_be_probed_is_named() -> None:
    parts: Any = SimpleNamespace(extractor=Doubler(markers=""), sink=Tell())
    with pytest.raises(UsageError, match="dry_run=true: Doubler has no method probe"):
        DryRun().look(parts)


def test_wrong_options(media: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wrong = {
        "dry_run_table=plan.txt": "must end in .csv or .parquet",
        "num_decoders=0": "must be 1 or more",
        f"output_path={tmp_path}/file/output": f"cannot write to {tmp_path}/file/output/vggish (Not a directory)",
    }
    results = run_each([arguments(media, each, "on_extraction=save_numpy") for each in wrong])
    for result, message in zip(results, wrong.values(), strict=True):
        assert (result.code, result.stdout) == (2, "")
        assert message in result.stderr
    [lonely] = run_each([["feature_type=vggish", f"video_paths={media}", "dry_run_table=plan.csv"]])
    assert (lonely.code, "without dry_run=true" in lonely.stderr) == (2, True)


def test_the_page_about_it_shows_what_is_printed(tmp_path: Path) -> None:
    """But for times."""
    text = page("docs/dry_run.md")
    [(_, command)] = blocks(text)
    [shown] = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    result = execute(command.strip(), prepare(tmp_path, text))
    assert result.returncode == 0, result.stderr
    for printed, line in zip(result.stdout.splitlines(), shown.splitlines(), strict=True):
        assert printed == line or (printed.startswith("decoding alone: ") and line.startswith("decoding alone: "))
    assert (tmp_path / "plan.csv").exists()
    assert not (tmp_path / "output").exists()
