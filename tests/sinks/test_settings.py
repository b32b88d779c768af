"""A folder of features holds those of one setting only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from torch_zoo.utils.sinks.files import SaveNumpy, SavePickle
from torch_zoo.utils.types import Features, Source, UsageError

OLD, NEW = {"checkpoint": "random, seed 0", "hop_seconds": 0.96}, {"checkpoint": "random, seed 0", "hop_seconds": 0.48}
CLIP, CLIP_2 = Source("clip.mp4", "clip"), Source("clip_2.mp4", "clip_2")
KEYS = dict.fromkeys(("rgb", "flow"), np.dtype(np.float32))


@pytest.fixture
def sink(tmp_path: Path) -> SaveNumpy:
    """Of a folder that holds both clips with the old settings."""
    sink = SaveNumpy(folder=str(tmp_path / "features"))
    sink.claim(OLD, [CLIP, CLIP_2], KEYS, False)()
    for source in (CLIP, CLIP_2):
        sink.write(Features(source, {key: np.zeros((1, 2)) for key in KEYS}, np.zeros((1, 2))))
    Path(sink.folder, "failures.csv").touch()
    return sink


def recorded(sink: SaveNumpy) -> object:
    return yaml.safe_load(Path(sink.folder, "extraction.yaml").read_text())


def test_same_settings_go_on(sink: SaveNumpy) -> None:
    for overwrite in (False, True):
        sink.claim(dict(OLD), [CLIP], KEYS, overwrite)()
    assert recorded(sink) == OLD
    assert sink.has(CLIP, KEYS)


@pytest.mark.parametrize(
    ("sources", "keys", "overwrite"),
    [
        ([CLIP, CLIP_2], KEYS, False),
        ([CLIP], KEYS, True),
        ([CLIP_2], KEYS, True),
        ([CLIP, CLIP_2], {"rgb": KEYS["rgb"]}, True),
    ],
    ids=["not overwriting", "clip_2 would stay", "clip would stay", "flow would stay"],
)
def test_other_settings_are_refused_where_features_would_stay(
    sources: list[Source], keys: dict[str, np.dtype], overwrite: bool, sink: SaveNumpy
) -> None:
    with pytest.raises(UsageError, match=r"hop_seconds=0.96 \(now 0.48\); choose another output_path"):
        sink.claim(NEW, sources, keys, overwrite)()
    assert recorded(sink) == OLD
    assert sink.has(CLIP, KEYS)


def test_overwriting_all_takes_the_old_features_away_at_once(sink: SaveNumpy) -> None:
    sink.claim(NEW, [CLIP_2, CLIP, Source("more.mp4", "more")], KEYS, True)()
    assert recorded(sink) == NEW
    assert not sink.has(CLIP, ["rgb"])  # an interrupted run that is resumed must not take it for a new one
    assert not sink.has(CLIP_2, ["flow"])


def test_nothing_goes_before_the_run_begins(sink: SaveNumpy) -> None:
    """Weights that don't fit end a run between the two."""
    begin = sink.claim(NEW, [CLIP, CLIP_2], KEYS, True)
    assert recorded(sink) == OLD
    assert sink.has(CLIP, KEYS)
    begin()
    assert not sink.has(CLIP, KEYS)


def test_files_of_another_format_count_too(sink: SaveNumpy) -> None:
    with pytest.raises(UsageError, match="holds features made with"):
        SavePickle(folder=sink.folder).claim(NEW, [CLIP, CLIP_2], KEYS, True)()


def test_a_setting_that_came_or_went_is_a_difference(sink: SaveNumpy) -> None:
    with pytest.raises(UsageError, match=r"pooling=None \(now mean\)"):
        sink.claim({**OLD, "pooling": "mean"}, [CLIP], KEYS, False)()
    with pytest.raises(UsageError, match=r"hop_seconds=0.96 \(now None\)"):
        sink.claim({"checkpoint": "random, seed 0"}, [CLIP], KEYS, False)()


@pytest.mark.parametrize("content", ["", "[1", "just words"])
def test_unreadable_record_is_named(content: str, sink: SaveNumpy) -> None:
    Path(sink.folder, "extraction.yaml").write_text(content)
    with pytest.raises(UsageError, match=r"extraction\.yaml: unreadable"):
        sink.claim(OLD, [CLIP], KEYS, False)()


def test_empty_folder_with_a_record_is_free(tmp_path: Path) -> None:
    sink = SaveNumpy(folder=str(tmp_path))
    sink.claim(OLD, [CLIP], KEYS, False)()
    sink.claim(NEW, [CLIP], KEYS, False)()
    assert recorded(sink) == NEW
