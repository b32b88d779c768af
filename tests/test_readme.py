"""Every command in the README works, in an empty folder with the sample clips."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from torch_zoo.models.vggish.weights import WEIGHTS
from torch_zoo.utils import storage
from torch_zoo.utils.terminal.catalogue import GROUPS, Catalogue

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text()
PAGES = [README, *((REPOSITORY / "docs" / name).read_text() for name in ("vggish.md", "map.md", "outputs.md"))]
BLOCKS = re.findall(r"```bash\n(.*?)```", "\n".join(PAGES), re.DOTALL)
COMMANDS = list(dict.fromkeys(line.partition("  #")[0].strip() for block in BLOCKS for line in block.splitlines()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout as a user sees it, and the files that the README asks to create."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("main.py", "torch_zoo", "sample", "utils", "Makefile", "requirements.lock", "tests"):
        (folder / name).symlink_to(REPOSITORY / name)
    for name, _, text in re.findall(r"`(my_[\w/.]+)`[^`]*?:\n\n```(\w+)\n(.*?)```", README, re.DOTALL):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def execute(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    cached = WEIGHTS.cached.exists() and "feature_type=i3d" not in command and "vggsound" not in command
    if "main.py" in command and "checkpoint=" not in command and "-sc" not in command and not cached:
        command += " --checkpoint random" if "--feature_type" in command else " checkpoint=random"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=280
    )


def fill_bucket(endpoint: str) -> None:
    import s3fs

    system = s3fs.S3FileSystem(endpoint_url=endpoint)
    system.mkdir("my-bucket")
    for name in ("speech.mp4", "music.mp4"):
        system.put_file(str(REPOSITORY / "sample" / name), f"my-bucket/clips/{name}")


def test_the_commands_are_found() -> None:
    assert sum("main.py" in command for command in COMMANDS) > 15


@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", [command for command in COMMANDS if "main.py" in command])
def test_command_runs_as_written(command: str, folder: Path, request: pytest.FixtureRequest) -> None:
    shutil.rmtree(folder / "output", ignore_errors=True)
    if "s3://" in command:
        fill_bucket(request.getfixturevalue("object_storage"))
    result = execute(command, folder)
    assert result.returncode == 0, result.stderr
    if "-sc" in command:
        return
    assert " 0 failed" in result.stderr
    if "s3://" in command:
        assert {"speech_vggish.npy", "music_vggish.npy"} < set(storage.listing("s3://my-bucket/features/vggish"))
    elif saved := re.search(r"save_(numpy|pickle)", command):
        suffix = {"numpy": ".npy", "pickle": ".pkl"}[saved[1]]
        assert len(list((folder / "output").rglob(f"*{suffix}"))) in (2, 3)  # sources, or arrays of one
    elif "layout=opentad" in command:
        assert len(list((folder / "output/vggish").glob("*.npz"))) == 2
    elif "save_webdataset" in command:
        assert (folder / "output/vggish/features-000000.tar").exists()
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


def test_options_table_has_every_common_option_and_the_defaults_of_the_configs() -> None:
    catalogue = Catalogue()
    choices = [(group, choice) for group in GROUPS for choice in catalogue.choices(group)]
    defaults: dict[str, set[str]] = {}
    for option in (*catalogue.common(), *(each for pair in choices for each in catalogue.of_choice(*pair))):
        defaults.setdefault(option.name, set()).add(option.default.replace("???", "required"))
    documented: dict[str, str] = {}
    for names, values in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|", README, re.MULTILINE):
        named, given = re.findall(r"\w+", names), values.split(", ")
        documented |= dict(zip(named, given * len(named) if len(given) == 1 else given, strict=False))
    assert {name: value for name, value in documented.items() if value not in defaults.get(name, ())} == {}
    assert {option.name for option in catalogue.common()} - {"engine"} <= set(documented)
