"""The notebook runs completely on a local kernel, to the outputs that are stored in it."""

from __future__ import annotations

import base64
import copy
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from command import ROOT
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from torch_zoo.models.vggish.weights import PCA_PARAMS

NOTEBOOK = ROOT / "notebooks" / "vggish_colab.ipynb"
FIGURES = ["look", "compare", "pool", "pca", "google"]  # ids of the cells that draw
UNSTORED = ["install", "extract", "read"]  # what these print depends on the machine, or is sound
MOST_BYTES = 500_000
pytestmark = pytest.mark.timeout(600)
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


def test_stored_notebook_is_valid_small_and_without_local_paths() -> None:
    nbformat.validate(read())
    assert NOTEBOOK.stat().st_size < MOST_BYTES
    assert not re.search(r"/(home|root|tmp|work|Users|content)/|[A-Z]:\\\\", NOTEBOOK.read_text())


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
    """Outputs of each cell by its id, offline, with random weights and a copy of Google's PCA; then without that copy.

    STORE_NOTEBOOK=1 stores them in the notebook.
    """
    folder = tmp_path_factory.mktemp("notebook")
    for name in ("main.py", "hubconf.py", "configs", "models", "sample", "torch_zoo", "utils"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "notebooks").mkdir()
    shutil.copy(ROOT / "tests/golden/vggish_pca_params.npz", folder / "pca.npz")

    notebook = read()
    [google] = [cell for cell in notebook.cells if cell.id == "google"]
    again = copy.deepcopy(google)
    again.id = "google without parameters"
    google.source = google.source.replace('"pretrained"', '"pca.npz"')
    notebook.cells.append(again)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("https_proxy", UNREACHABLE)
        environment.setenv("IPYTHONDIR", str(folder / "ipython"))
        environment.setenv("TORCH_HOME", str(folder / "torch"))
        environment.setenv("CUDA_VISIBLE_DEVICES", "")
        client = NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(folder / "notebooks")}})
        client.execute()
    if os.environ.get("STORE_NOTEBOOK"):
        store(notebook)
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def store(executed: NotebookNode) -> None:
    notebook = read()
    for cell, done in zip(notebook.cells, executed.cells, strict=False):
        if cell.cell_type == "code":
            kept = [output for output in done.outputs if output.get("name") != "stderr"]
            cell.outputs = [] if cell.id in UNSTORED else kept
            cell.execution_count, cell.metadata = done.execution_count, {}
    nbformat.write(notebook, NOTEBOOK)


def printed(cell: list[NotebookNode]) -> str:
    return "".join(output["text"] for output in cell if output.get("name") == "stdout")


def figures(cell: list[NotebookNode]) -> list[np.ndarray]:
    drawn = [output["data"]["image/png"] for output in cell if "image/png" in output.get("data", {})]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), float) for png in drawn]


def test_running_it_gives_the_outputs_that_are_stored(outputs: dict[str, list[NotebookNode]]) -> None:
    stored = {cell.id: cell.outputs for cell in read().cells if cell.cell_type == "code" and cell.id not in UNSTORED}
    assert [identity for identity, cell in stored.items() if figures(cell)] == FIGURES
    number = r"\d+\.\d+"
    for identity, cell in stored.items():
        said, now = printed(cell), printed(outputs[identity])
        assert re.sub(number, "", said) == re.sub(number, "", now), identity
        np.testing.assert_allclose(
            [float(each) for each in re.findall(number, said)],
            [float(each) for each in re.findall(number, now)],
            atol=0.0011,  # the last digit printed
        )
        for one, other in zip(figures(cell), figures(outputs[identity]), strict=True):
            assert one.shape == other.shape
            assert np.abs(one - other).mean() < 1, identity  # of 255: fonts are drawn a little differently elsewhere


def test_it_extracts_and_compares_the_sample(outputs: dict[str, list[NotebookNode]]) -> None:
    assert "2 done, 0 skipped, 0 empty, 0 failed" in printed(outputs["extract"])
    assert re.findall(r"\((\d+), 128\) float32", printed(outputs["load"])) == ["20", "12"]  # clips of 19.8 s and 12 s
    cosines = [float(number) for number in re.findall(r"0\.\d+", printed(outputs["compare"]))]
    assert len(cosines) == 3
    assert min(cosines[:2]) > cosines[2]  # a clip is more similar to itself
    assert "1.000" in printed(outputs["normalize"])


def test_it_continues_without_googles_parameters(outputs: dict[str, list[NotebookNode]]) -> None:
    [line] = printed(outputs["google without parameters"]).splitlines()
    assert line.startswith("skipped: cannot download") and PCA_PARAMS.url in line
