"""What a sink says in a dry run is what a run would find, and its folder stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sink_runs
from table_maker import FLOATS, SETTINGS, features

from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.utils import storage
from torch_zoo.utils.downloads import postponed
from torch_zoo.utils.sinks.files import SaveNpz, SaveNumpy
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.sinks.hdf5 import SaveHDF5
from torch_zoo.utils.sinks.settings import settings_of
from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.sinks.webdataset import SaveWebDataset
from torch_zoo.utils.types import UsageError

LOCAL = [SaveNumpy, SaveNpz, SaveTable, SaveHDF5, SaveWebDataset]
REMOTE = [SaveNumpy, SaveTable, SaveWebDataset]


def content(folder: str) -> dict[str, tuple[object, bytes]]:
    found = {}
    for name, stamp in storage.listing(folder).items():
        with storage.open_read(storage.join(folder, name)) as file:
            found[name] = stamp, file.read()
    return found


def kept(sink: FolderSink, names: str) -> dict[str, bool]:
    """Of the sources, which a dry run takes for done."""
    sources = [features(name).source for name in names]
    sink.prepare(SETTINGS, sources, FLOATS, overwrite=False)
    return {source.name: sink.has(source, FLOATS) for source in sources}


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("kind", LOCAL)
def test_a_folder_with_some_outputs(kind: Any, killed: bool, tmp_path: Path) -> None:
    """Also where a run was killed, and what its workers wrote has not been put into files."""
    folder = str(tmp_path / "features")
    sink = kind(folder=folder)
    sink_runs.run(sink, features("a"))
    if killed:
        sink.prepare(SETTINGS, [], FLOATS, overwrite=False)()
        worker = sink_runs.begun(sink)
        worker.write(features("b"))
        sink_runs.end(worker)
        sink.provenance.close()
    else:
        sink_runs.run(sink, features("b"))
    before = content(folder)
    assert kept(kind(folder=folder, dry_run=True), "abc") == {"a": True, "b": True, "c": False}
    assert content(folder) == before
    assert sink_runs.run(kind(folder=folder), features("a"), features("b"), features("c")) == ["c"]


@pytest.mark.parametrize("kind", REMOTE)
def test_a_bucket_with_some_outputs(kind: Any, bucket: str) -> None:
    folder = f"{bucket}/features"
    for name in "ab":
        sink_runs.run(kind(folder=folder), features(name))
    before = content(folder)
    assert kept(kind(folder=folder, dry_run=True), "abc") == {"a": True, "b": True, "c": False}
    assert content(folder) == before


def test_weights_that_are_not_there_may_be_those_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = str(tmp_path / "features")
    published = {"checkpoint": "members 1234", "pca_params": "sha256 5678"}
    like = VGGishExtractor(checkpoint="random", postprocess="none")
    done = {**settings_of(like), **published, "postprocess": "pca"}
    arrays = {"vggish": np.dtype((np.float32, 128))}
    sink = SaveNumpy(folder=folder)
    sink.prepare(done, [], arrays, overwrite=False)()
    sink.write(features("a", width=128))
    sink.finish()
    for hop, refused in {0.96: "", 0.48: "hop_seconds=0.96 .now 0.48."}.items():
        with postponed():
            settings = settings_of(VGGishExtractor(postprocess="pca", hop_seconds=hop))
        dry = SaveNumpy(folder=folder, dry_run=True)
        if refused:
            with pytest.raises(UsageError, match=refused):
                dry.prepare(settings, [], arrays, overwrite=False)
        else:
            dry.prepare(settings, [], arrays, overwrite=False)
    assert not (tmp_path / "torch").exists()
