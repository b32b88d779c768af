"""The notebook runs completely on a local kernel, and the committed file is clean."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from torch_zoo.models.vggish.weights import PCA_PARAMS

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "vggish_colab.ipynb"
FIGURES = ["look", "compare", "pool", "pca", "google with parameters"]  # ids of the cells that draw
UNREACHABLE = "http://127.0.0.1:9"

# Runs a cell twice, as on Colab, and prints the final folder.
ON_COLAB = """
import os, sys, types
from IPython.core.interactiveshell import InteractiveShell
sys.modules["google.colab"] = types.ModuleType("google.colab")
shell = InteractiveShell.instance()
for _ in range(2):
    shell.run_cell(sys.argv[1]).raise_error()
print("ended in", os.getcwd())
"""


def read() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def source(identity: str) -> str:
    [cell] = [cell for cell in read().cells if cell.id == identity]
    return cell.source


def test_committed_notebook_has_no_outputs_and_no_local_paths() -> None:
    notebook = read()
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.outputs, cell.execution_count) == ([], None)
        assert not re.search(r"/(home|root|tmp|work|Users|content)/|[A-Z]:\\", cell.source)


def test_badge_and_links_point_to_files_of_the_repository() -> None:
    text = NOTEBOOK.read_text()
    [repository] = re.findall(r'REPOSITORY = "https://github\.com/([\w-]+/[\w-]+)"', source("install"))
    badge = f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/{NOTEBOOK.name}"
    assert f"({badge})" in source("title")
    assert set(re.findall(r"github(?:\.com)?/([\w-]+/[\w-]+)", text)) == {repository}
    for path in re.findall(r"/blob/main/([\w./-]+)", text):
        assert (ROOT / path).is_file(), path


def test_on_colab_the_repository_is_cloned_once_and_installed(tmp_path: Path) -> None:
    programs = {
        "git": 'echo "git $@"; mkdir torch-zoo; touch torch-zoo/main.py',
        "pip": 'echo "pip $@ in $PWD"',
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    result = subprocess.run(
        [sys.executable, "-c", ON_COLAB, source("install")],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("git clone") == 1
    assert f"pip install --quiet . in {tmp_path}/torch-zoo" in result.stdout
    assert f"ended in {tmp_path}/torch-zoo" in result.stdout


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[NotebookNode]]:
    """Outputs of each cell, by its id, offline; then of the cell with Google's PCA again, with local parameters."""
    folder = tmp_path_factory.mktemp("notebook")
    for name in ("main.py", "hubconf.py", "configs", "models", "sample", "torch_zoo", "utils"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "notebooks").mkdir()
    np.savez(folder / "pca.npz", pca_eigen_vectors=np.eye(128), pca_means=np.zeros((128, 1)))

    notebook = read()
    [google] = [cell for cell in notebook.cells if cell.id == "google"]
    again = copy.deepcopy(google)
    again.id, again.source = "google with parameters", again.source.replace('"pretrained"', '"pca.npz"')
    notebook.cells.append(again)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("https_proxy", UNREACHABLE)
        environment.setenv("IPYTHONDIR", str(folder / "ipython"))
        NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(folder / "notebooks")}}).execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def printed(cell: list[NotebookNode]) -> str:
    return "".join(output.get("text", "") for output in cell)


def test_it_draws_every_figure(outputs: dict[str, list[NotebookNode]]) -> None:
    drawn = [identity for identity, cell in outputs.items() if any("image/png" in o.get("data", {}) for o in cell)]
    assert [identity for identity in drawn if identity != "google"] == FIGURES


def test_it_extracts_and_compares_the_sample(outputs: dict[str, list[NotebookNode]]) -> None:
    assert "2 done, 0 skipped, 0 empty, 0 failed" in printed(outputs["extract"])
    assert re.findall(r"\((\d+), 128\) float32", printed(outputs["load"])) == ["20", "12"]  # clips of 19.8 s and 12 s
    cosines = [float(number) for number in re.findall(r"0\.\d+", printed(outputs["compare"]))]
    assert len(cosines) == 3
    assert min(cosines[:2]) > cosines[2]  # a clip is more similar to itself
    assert "1.000" in printed(outputs["normalize"])


def test_it_continues_without_googles_parameters(outputs: dict[str, list[NotebookNode]]) -> None:
    if PCA_PARAMS.cached.exists():
        pytest.skip(f"{PCA_PARAMS.cached.name} is cached")
    [line] = printed(outputs["google"]).splitlines()
    assert line.startswith("skipped: cannot download") and PCA_PARAMS.url in line
