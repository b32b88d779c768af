"""The ways to install the project agree on what is installed."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[1]
LOCK = (REPOSITORY / "requirements.lock").read_text()


def direct_dependencies() -> list[Requirement]:
    """Of pyproject.toml; a TOML reader comes with Python only from 3.11."""
    text = (REPOSITORY / "pyproject.toml").read_text()
    tables = re.findall(r"^(?:dependencies|dev) = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    return [Requirement(entry) for table in tables for entry in re.findall(r'"(.+?)"', table)]


def test_conda_environment_takes_the_same_pins() -> None:
    environment = yaml.safe_load((REPOSITORY / "conda_env_torch_zoo.yml").read_text())
    assert environment["name"] == "torch_zoo"
    [pip] = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-r requirements.lock"]


def test_lock_pins_every_direct_dependency_within_its_bounds() -> None:
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE):
        pins.setdefault(name.lower(), []).append(version)
    dependencies = direct_dependencies()
    assert len(dependencies) > 15
    for requirement in dependencies:
        versions = pins[requirement.name.lower()]
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_lock_names_no_registry_and_no_path() -> None:
    assert not re.search(r"https?://|file:|--index|--find-links|/", LOCK)


def test_bounds_admit_the_oldest_supported_torch() -> None:
    bounds = {requirement.name: requirement.specifier for requirement in direct_dependencies()}
    assert bounds["torch"].contains("2.11.0")
    assert bounds["torchvision"].contains("0.26.0")
