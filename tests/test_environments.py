"""The ways to install the project agree on what is installed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[1]
TESTED = "dependencies|atlas|dev|evaluation|hdf5|map|s3|tensorboard|umap|webdataset"  # tables that tests need
LOCKS = [(REPOSITORY / name).read_text() for name in ("requirements.lock", "tests/requirements.lock")]


def direct_dependencies(tables: str = TESTED) -> list[Requirement]:
    """Of these tables of pyproject.toml; a TOML reader comes with Python only from 3.11."""
    text = (REPOSITORY / "pyproject.toml").read_text()
    found = re.findall(rf"^(?:{tables}) = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    return [Requirement(entry) for table in found for entry in re.findall(r'"(.+?)"(?:,|$)', table, re.MULTILINE)]


def test_conda_environment_has_the_same_pins() -> None:
    environment = yaml.safe_load((REPOSITORY / "conda_env_torch_zoo.yml").read_text())
    assert environment["name"] == "torch_zoo"
    [pip] = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-r requirements.lock"]


def pins(lock: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE):
        found.setdefault(name.lower(), []).append(version)
    return found


@pytest.mark.parametrize(("lock", "tables"), list(zip(LOCKS, ("dependencies", TESTED), strict=True)))
def test_lock_pins_every_direct_dependency_within_its_bounds(lock: str, tables: str) -> None:
    dependencies = direct_dependencies(tables)
    assert len(dependencies) > 15
    for requirement in dependencies:
        versions = pins(lock)[requirement.name.lower()]
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_tests_use_the_same_versions_as_users() -> None:
    users, tests = map(pins, LOCKS)
    assert {name: tests[name] for name in users} == users


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_registry_and_no_path(lock: str) -> None:
    assert not re.search(r"https?://|file:|--index|--find-links|/", lock)


def test_bounds_allow_the_oldest_supported_torch() -> None:
    bounds = {requirement.name: requirement.specifier for requirement in direct_dependencies()}
    assert bounds["torch"].contains("2.11.0")
    assert bounds["torchvision"].contains("0.26.0")


def make_wheel(folder: Path, name: str, version: str) -> None:
    """An empty package that needs no others."""
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def test_a_torch_without_cuda_needs_none_of_its_libraries(tmp_path: Path) -> None:
    """What `make run` installs where torch is a build for CPUs, as with UV_TORCH_BACKEND=cpu."""
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        pytest.skip("uv is not installed")
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "wheels").mkdir()
    pinned = [Requirement(line) for line in LOCKS[0].splitlines()]
    for package in (each for each in pinned if each.marker is None or each.marker.evaluate()):
        if not re.match("nvidia|cuda|triton", package.name):
            version = str(package.specifier).removeprefix("==") + "+cpu" * package.name.startswith("torch")
            make_wheel(tmp_path / "wheels", package.name, version)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    shown = subprocess.run(["make", "--dry-run", "run"], cwd=tmp_path, capture_output=True, text=True).stdout
    [command] = [line for line in shown.replace("\\\n", " ").splitlines() if "uv pip install" in line]
    arguments = [*shlex.split(command.replace("--quiet", "--dry-run"))[1:], "--no-index", "--find-links", "wheels"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    result = subprocess.run([uv, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    planned = {Requirement(line[3:]).name for line in result.stderr.splitlines() if line.startswith(" + ")}
    assert {requirement.name for requirement in direct_dependencies("dependencies")} <= planned
