"""WebDataset shards: read by the package, by plain tarfile and by the rules of both; resumed, also behind a URL."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shard_reader import arrays, members, shards
from sink_runs import begun, done, end, run
from table_maker import FLOATS, SETTINGS, features, source

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers.tar import key_of
from torch_zoo.utils.sinks.webdataset import SaveWebDataset
from torch_zoo.utils.types import UsageError

NAMES = ["a", "clip.v2", ".hidden", "%2E", "ünïcode", "n" * 200, "with space"]


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "features") if request.param == "local" else f"{request.getfixturevalue('bucket')}/features"


def test_the_package_reads_samples_whatever_their_names(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    all_features = [features(name, value=number) for number, name in enumerate(NAMES)]
    run(SaveWebDataset(folder=str(tmp_path), shard_bytes=900), *all_features)
    files = [str(tmp_path / shard) for shard in shards(str(tmp_path))]
    assert files == [str(tmp_path / f"features-{number:06}.tar") for number in range(len(files))]
    assert len(files) > 1
    pattern = f"{tmp_path}/features-{{000000..{len(files) - 1:06}}}.tar"  # as its users write it
    samples = list(webdataset.WebDataset(pattern, shardshuffle=False).decode())
    assert [unquote(sample["__key__"]) for sample in samples] == NAMES
    for sample, expected in zip(samples, all_features, strict=True):
        np.testing.assert_array_equal(sample["vggish.npy"], expected.arrays["vggish"])
        np.testing.assert_array_equal(sample["json"]["times"], expected.times)
        assert sample["json"]["name"] == expected.source.name


def test_the_json_says_what_a_sample_is_of(tmp_path: Path) -> None:
    made = replace(features("a"), source=replace(source("a"), start=2.0, columns={"label": "dog"}))
    run(SaveWebDataset(folder=str(tmp_path)), made)
    [content] = [content for name, content in members(str(tmp_path)) if name == "a.json"]
    assert json.loads(content) == {
        "name": "a",
        "path": "music/a.mp3",
        "start": 2.0,
        "end": None,
        "label": "dog",
        "times": made.times.tolist(),
    }


def test_a_second_run_adds_shards_and_an_overwriting_one_replaces_samples(folder: str) -> None:
    assert run(SaveWebDataset(folder=folder), features("a"), features("b.c")) == ["a", "b.c"]
    assert len(shards(folder)) == 1
    assert run(SaveWebDataset(folder=folder, shard_bytes=700), features("b.c"), features("d")) == ["d"]
    assert sorted(arrays(folder)) == ["a", "b.c", "d"]
    run(SaveWebDataset(folder=folder, shard_bytes=700), features("b.c", 1, 7), overwrite=True)
    found = arrays(folder)
    assert sorted(found) == ["a", "b.c", "d"]
    np.testing.assert_array_equal(found["b.c"], features("b.c", 1, 7).arrays["vggish"])
    assert done(SaveWebDataset(folder=folder), [features(name) for name in ("a", "b.c", "d")]) == ["a", "b.c", "d"]


def test_the_index_lists_the_shards_with_their_samples(folder: str) -> None:
    run(SaveWebDataset(folder=folder, shard_bytes=900), *(features(f"{number}") for number in range(5)))
    with storage.open_read(storage.join(folder, "features.json")) as file:
        listed = json.load(file)["shards"]
    assert [shard["name"] for shard in listed] == shards(folder)
    assert sum(shard["samples"] for shard in listed) == 5
    assert len(listed) > 1


def test_the_index_goes_with_the_last_shard(bucket: str) -> None:
    folder = f"{bucket}/features"
    run(SaveWebDataset(folder=folder), features("a"))
    sink = SaveWebDataset(folder=folder)
    sink.prepare(SETTINGS, [source("a")], FLOATS, overwrite=True)()
    sink.finish()  # the source has failed
    assert (shards(folder), storage.exists(storage.join(folder, "features.json"))) == ([], False)


def test_two_runs_at_once_share_a_folder(folder: str) -> None:
    runs = [SaveWebDataset(folder=folder, shard_bytes=900) for _ in range(2)]
    parts = [[features(f"{half}{number}") for number in range(4)] for half in "ab"]
    for sink, part in zip(runs, parts, strict=True):
        sink.prepare(SETTINGS, [each.source for each in part], FLOATS, overwrite=False)()
    workers = [begun(sink) for sink in runs]
    for both in zip(*parts, strict=True):
        for worker, each in zip(workers, both, strict=True):
            worker.write(each)
    for sink, worker in zip(runs, workers, strict=True):
        worker.flush()
        end(worker)
        sink.finish()
    assert sorted(arrays(folder)) == sorted(each.source.name for part in parts for each in part)
    with storage.open_read(storage.join(folder, "features.json")) as file:
        assert [shard["name"] for shard in json.load(file)["shards"]] == shards(folder)


def test_killed_worker_costs_what_it_had_not_stored(folder: str) -> None:
    all_features = [features(f"{number}") for number in range(5)]
    run(SaveWebDataset(folder=folder, shard_bytes=900), *all_features, killed=True)
    left = sorted(set(map(str, range(5))) - set(arrays(folder)))
    assert (left != []) == storage.is_url(folder)
    assert run(SaveWebDataset(folder=folder, shard_bytes=900), *all_features) == left
    assert sorted(arrays(folder)) == list("01234")


def test_keys_name_the_arrays(tmp_path: Path) -> None:
    run(SaveWebDataset(folder=str(tmp_path), keys={"vggish": "features"}), features("a"))
    assert [name for name, _ in members(str(tmp_path))] == ["__sources__", "a.features.npy", "a.json"]
    with pytest.raises(UsageError, match="must be a list of keys"):
        SaveWebDataset(folder=str(tmp_path), keys={"vggish": "x/y"})


@pytest.mark.parametrize("damage", ["half", "record", "another tar file", "garbage", "nothing"])
def test_damaged_shard_is_named(damage: str, tmp_path: Path) -> None:
    run(SaveWebDataset(folder=str(tmp_path)), *(features(f"{number}") for number in range(30)))
    shard = tmp_path / "features-000000.tar"
    content = {"half": shard.read_bytes()[:700], "garbage": b"x" * 5000, "nothing": b""}
    content["record"] = shard.read_bytes().replace(b'{"name"', b'{"nxme"', 1)
    if damage == "another tar file":
        with tarfile.open(shard, "w") as tar:
            tar.addfile(tarfile.TarInfo("readme"))
    else:
        shard.write_bytes(content[damage])
    with pytest.raises(UsageError, match=r"features-000000\.tar: (damaged|not a shard of features)"):
        SaveWebDataset(folder=str(tmp_path)).prepare(SETTINGS, [], FLOATS, False)


@given(name=st.text(min_size=1))
def test_a_key_is_one_word_and_says_the_name(name: str) -> None:
    key = key_of(name)
    assert not {".", "/"} & set(key)
    assert unquote(key, errors="surrogateescape") == name


def test_no_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shard_bytes=0: must be 1 or more"):
        SaveWebDataset(folder=str(tmp_path), shard_bytes=0)
