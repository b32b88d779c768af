"""The ways to install the project agree on what is installed."""

from __future__ import annotations

import re
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
