"""Every command of the README and of pages of the reference works, in an empty folder with the sample clips."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from command import ROOT
from documentation import SECONDS, blocks, commands, execute, page, prepare, without_comment

from torch_zoo.utils import storage
from torch_zoo.utils.terminal import checks
from torch_zoo.utils.terminal.catalogue import GROUPS, Catalogue

PAGES = ("README.md", *(f"docs/{name}.md" for name in ("command_line", "vggish", "map", "outputs")))
TEXT = "\n".join(map(page, PAGES))
COMMANDS = list(
    dict.fromkeys(
        without_comment(line) for language, content in blocks(TEXT) if language == "bash" for line in commands(content)
    )
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("readme"), TEXT)


def fill_bucket(endpoint: str) -> None:
    import s3fs

    system = s3fs.S3FileSystem(endpoint_url=endpoint)
    system.mkdir("my-bucket")
    for name in ("speech.mp4", "music.mp4"):
        system.put_file(str(ROOT / "sample" / name), f"my-bucket/clips/{name}")


def test_the_commands_are_found() -> None:
    assert sum("main.py" in command for command in COMMANDS) > 15


@pytest.mark.timeout(SECONDS + 20)
@pytest.mark.parametrize("command", [command for command in COMMANDS if "main.py" in command])
def test_command_runs_as_written(command: str, folder: Path, request: pytest.FixtureRequest) -> None:
    shutil.rmtree(folder / "output", ignore_errors=True)
    if "s3://" in command:
        fill_bucket(request.getfixturevalue("object_storage"))
    result = execute(command, folder)
    assert result.returncode == 0, result.stderr
    if "-sc" in command:
        return
    if "--help" in command:
        assert "hop_seconds" in result.stdout
        return
    assert " 0 failed" in result.stderr
    if "s3://" in command:
        assert {"speech_vggish.npy", "music_vggish.npy"} < set(storage.listing("s3://my-bucket/features/vggish"))
    elif saved := re.search(r"save_(numpy|pickle)", command):
        suffix = {"numpy": ".npy", "pickle": ".pkl"}[saved[1]]
        assert len(list((folder / "output").rglob(f"*{suffix}"))) in (2, 3)  # sources, or arrays of one
    elif "layout=opentad" in command:
        assert len(list((folder / "output/vggish").glob("*.npz"))) == 2
    elif "save_predictions" in command:
        assert (folder / "output/i3d/predictions.parquet").exists()
    elif "save_table" in command:
        assert (folder / "output/vggish/embeddings.parquet").exists()
    else:
        assert "speech" in result.stdout or "music" in result.stdout


@pytest.mark.parametrize("command", [command for command in COMMANDS if re.search(r"\bmake ", command)])
def test_make_targets_exist(command: str, folder: Path) -> None:
    result = execute(f"{command} --dry-run", folder)
    assert result.returncode == 0, result.stderr
    assert ".venv/bin/python" in result.stdout


def test_tables_of_options_state_the_defaults_of_the_configs() -> None:
    catalogue = Catalogue()
    choices = [(group, choice) for group in GROUPS for choice in catalogue.choices(group)]
    defaults: dict[str, set[str]] = {}
    for option in (*catalogue.common(), *(each for pair in choices for each in catalogue.of_choice(*pair))):
        defaults.setdefault(option.name, set()).add(option.default)
    stated = [
        (name, value)
        for path in (ROOT / "docs").rglob("*.md")
        for table in re.findall(r"^\| option \| default \|.*?\n\n", path.read_text() + "\n\n", re.MULTILINE | re.DOTALL)
        for names, values in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|", table, re.MULTILINE)
        for name, value in zip(re.findall(r"\w+", names), values.split(", "), strict=True)
    ]
    assert len(stated) > 15
    assert [(name, value) for name, value in stated if value not in defaults.get(name, ())] == []


@pytest.mark.parametrize("name", ["cluster", "i3d", "lists", "storage", "vggsound"])
def test_commands_of_pages_for_other_machines_have_options_that_exist(name: str) -> None:
    text = page(f"docs/{name}.md").replace("\\\n", " ")
    given = re.findall(r"^(?:python main\.py|torch-zoo) (.*)$", text, re.MULTILINE)
    assert given
    for words in given:
        checks.check(shlex.split(words), Catalogue())
