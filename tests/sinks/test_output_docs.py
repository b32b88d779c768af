"""Every kind of output is in docs/outputs.md, and the code there reads what the sinks write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from documentation import blocks, page
from sink_runs import run
from table_maker import features

from torch_zoo.utils.sinks.hdf5 import SaveHDF5
from torch_zoo.utils.sinks.predictions import SavePredictions
from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.sinks.webdataset import SaveWebDataset
from torch_zoo.utils.terminal.catalogue import Catalogue

PAGE = page("docs/outputs.md")
ELSEWHERE = (
    "import tensorflow",
    "from dataclasses",
)  # tests/with_tensorflow; tests/test_readme.py, which uses that sink
BLOCKS = [code for language, code in blocks(PAGE) if language == "python" and not code.startswith(ELSEWHERE)]
LIBRARIES = ("duckdb", "h5py", "webdataset")


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of every kind of output, in which the code runs."""
    monkeypatch.chdir(tmp_path)
    for kind in (SaveTable, SaveHDF5, SaveWebDataset):
        run(kind(folder="output/vggish"), features("speech"), features("music"))
    run(SavePredictions(folder="output/vggsound"), features("speech"))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.findall(r"import (\w+)", block)[-1])
def test_code_reads_the_output(block: str, outputs: None, capsys: pytest.CaptureFixture[str]) -> None:
    for library in LIBRARIES:
        if library in block:
            pytest.importorskip(library)
    found: dict[str, object] = {}
    exec(block, found)
    if "embeddings" in found:
        expected = np.concatenate([features(name).arrays["vggish"] for name in ("speech", "music")])
        np.testing.assert_array_equal(found["embeddings"], expected)
    elif "about" in found:
        assert isinstance(found["about"], Mapping)
        assert {b"extraction", b"torch_zoo"} <= set(found["about"])
    elif "urls" in found:
        assert found["urls"] == ["output/vggish/features-000000.tar"]
    elif "duckdb" not in block:
        assert "speech" in capsys.readouterr().out


def test_all_kinds_of_outputs_are_listed() -> None:
    _, *listed = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(Catalogue().choices("on_extraction"))
