"""The Python code of README and docs/python.md runs as it stands, with random weights where there are no others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from command import ROOT
from documentation import use_random_weights_if_there_are_no_others

from torch_zoo import MediaError
from torch_zoo.models.vggish.weights import PCA_PARAMS


def code(page: str) -> str:
    """All Python of a page that uses the public functions."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    text = "\n".join(block for block in blocks if re.search(r"\b(extract|Extractor|embed)\(", block))
    return text if PCA_PARAMS.cached.exists() else text.replace('preset="google"', 'activation="none"')


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "sample").symlink_to(ROOT / "sample")
    monkeypatch.chdir(tmp_path)
    use_random_weights_if_there_are_no_others(monkeypatch)
    return {}


def test_readme(names: dict[str, Any]) -> None:
    exec(code("README.md"), names)
    assert names["features"]["vggish"].shape == (20, 128)
    assert names["features"].times.shape == (20, 2)


def test_the_page_about_python(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    exec(code("docs/python.md"), names)
    shown = capsys.readouterr().out
    assert shown.startswith("(20, 128) [0.   0.96]")
    assert "missing.mp4: cannot be opened" in shown
    assert names["part"].times[0, 0] == 3 and names["part"].times[-1, 1] <= 8
    assert names["first"]["vggish"].shape == (20, 128)
    assert [item.source.name for item in names["others"]] == ["music", "speech"]
    assert isinstance(names["item"].error, MediaError)
    assert (names["row"].shape, names["rows"].shape) == ((128,), (2, 128))
