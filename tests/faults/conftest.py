"""Runs to disturb, and what the same runs store when nothing happens."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from outputs import outputs
from victim import Undisturbed, Victim, new


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc"))


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    """Of the sink that most users choose."""
    return new(tmp_path, "save_numpy")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What a sink stores of the clips in a run to which nothing happens."""

    @cache
    def stored(sink: str) -> Mapping[str, bytes]:
        calm = new(tmp_path_factory.mktemp(sink), sink)
        result = calm.run()
        assert result.code == 0, result.stderr
        return outputs(calm.stored)

    return stored
