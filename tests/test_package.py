"""The wheel, installed in an empty folder, and torch.hub beside a caller's own modules, work without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
OFFLINE = ("--no-deps", "--no-index")
OWN = ("utils", "models")  # modules that a caller of torch.hub has as well

# Prints where each public name comes from.
PUBLIC_NAMES = """
import inspect, torch_zoo
for name in torch_zoo.__all__:
    print(name, inspect.getfile(getattr(torch_zoo, name)))
"""

# Loads the network before the caller's modules are imported, or after.
HUB = """
import sys
if {imported_before}:
    import utils, models
import torch
network = torch.hub.load({checkout!r}, "vggish", source="local", checkpoint="random")
assert type(network).__module__ == "torch_zoo.models.vggish.network"
assert network(torch.zeros(2, 1, 96, 64)).shape == (2, 128)
import utils, models
import utils as again
print(utils.OWNER, models.OWNER, again is utils)
"""


def output_of(command: list[str], folder: Path, **environment: str) -> str:
    """The stdout of a command that runs in `folder`, without the checkout on Python's path."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(command, cwd=folder, env={**given, **environment}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # in an isolated environment, pip would download the build backend
    command = [*PIP, "wheel", str(ROOT), *OFFLINE, "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run(command, check=True)
    [built] = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel is installed in; what it depends on is the environment's."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([*PIP, "install", *OFFLINE, "--target", str(folder), str(wheel)], check=True)
    return folder


def test_the_wheel_holds_one_package_and_nothing_but_its_code_and_configs(wheel: Path) -> None:
    files = [Path(name) for name in zipfile.ZipFile(wheel).namelist()]
    package = [path for path in files if not path.parts[0].endswith(".dist-info")]
    assert {path.parts[0] for path in package} == {"torch_zoo"}
    assert {path.parts[1] for path in package} == {"__init__.py", "py.typed", "main.py", "configs", "models", "utils"}
    assert {path.suffix for path in package} == {".py", ".typed", ".yaml", ".css", ".js"}


def test_the_command_extracts_features_with_two_workers(installed: Path, tmp_path: Path) -> None:
    clips = [str(ROOT / "sample" / name) for name in ("speech.mp4", "music.mp4")]
    options = "feature_type=vggish checkpoint=random device=cpu device_ids=[0,1] on_extraction=save_numpy".split()
    command = [str(installed / "bin" / "torch-zoo"), *options, f"video_paths=[{','.join(clips)}]"]
    output_of([*command, "output_path=features"], tmp_path, PYTHONPATH=str(installed))
    assert [path.name for path in tmp_path.iterdir()] == ["features"]
    for name, windows in (("speech", 20), ("music", 12)):
        features = np.load(tmp_path / "features" / "vggish" / f"{name}_vggish.npy")
        assert features.shape == (windows, 128)
        assert features.std() > 0


def test_public_names_come_from_the_installed_package(installed: Path, tmp_path: Path) -> None:
    lines = output_of([sys.executable, "-c", PUBLIC_NAMES], tmp_path, PYTHONPATH=str(installed)).splitlines()
    assert len(lines) >= 10
    assert all(str(installed / "torch_zoo") in line for line in lines), lines


def test_a_module_of_it_runs_as_a_command(installed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch_zoo.models.vggish.smoke_test", "--checkpoint", "random"]
    assert "RANDOM weights" in output_of(command, tmp_path, PYTHONPATH=str(installed))


@pytest.mark.parametrize("imported_before", [True, False])
def test_torch_hub_leaves_the_callers_modules_alone_and_they_it(imported_before: bool, tmp_path: Path) -> None:
    for name in OWN:
        (tmp_path / f"{name}.py").write_text("OWNER = 'the caller'\n")
    script = tmp_path / "script.py"
    script.write_text(HUB.format(checkout=str(ROOT), imported_before=imported_before))
    assert output_of([sys.executable, str(script)], tmp_path) == "the caller the caller True\n"
