"""A folder of features holds those of one set of settings only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from torch_zoo.utils.sinks.files import SaveNumpy, SavePickle
from torch_zoo.utils.types import AddedSetting, Features, Source, UsageError

OLD, NEW = {"checkpoint": "random, seed 0", "hop_seconds": 0.96}, {"checkpoint": "random, seed 0", "hop_seconds": 0.48}
CLIP, CLIP_2 = Source("clip.mp4", "clip"), Source("clip_2.mp4", "clip_2")
KEYS = dict.fromkeys(("rgb", "flow"), np.dtype(np.float32))


@pytest.fixture
def sink(tmp_path: Path) -> SaveNumpy:
    """Of a folder that holds both clips with the old settings."""
    sink = SaveNumpy(folder=str(tmp_path / "features"))
    sink.prepare(OLD, [CLIP, CLIP_2], KEYS, False)()
    for source in (CLIP, CLIP_2):
        sink.write(Features(source, {key: np.zeros((1, 2), np.float32) for key in KEYS}, np.zeros((1, 2))))
    Path(sink.folder, "failures.csv").touch()
    sink.finish()
    return sink


def recorded(sink: SaveNumpy) -> object:
    return yaml.safe_load(Path(sink.folder, "extraction.yaml").read_text())


def test_same_settings_go_on(sink: SaveNumpy) -> None:
    for overwrite in (False, True):
        sink.prepare(dict(OLD), [CLIP], KEYS, overwrite)()
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
        sink.prepare(NEW, sources, keys, overwrite)()
    assert recorded(sink) == OLD
    assert sink.has(CLIP, KEYS)


def test_overwriting_all_takes_the_old_features_away_at_once(sink: SaveNumpy) -> None:
    sink.prepare(NEW, [CLIP_2, CLIP, Source("more.mp4", "more")], KEYS, True)()
    assert recorded(sink) == NEW
    assert not sink.has(CLIP, {"rgb": KEYS["rgb"]})  # an interrupted run that is resumed must not take it for a new one
    assert not sink.has(CLIP_2, {"flow": KEYS["flow"]})


def test_nothing_goes_before_the_run_begins(sink: SaveNumpy) -> None:
    """Weights that don't fit end a run between the two."""
    begin = sink.prepare(NEW, [CLIP, CLIP_2], KEYS, True)
    assert recorded(sink) == OLD
    assert sink.has(CLIP, KEYS)
    begin()
    assert not sink.has(CLIP, KEYS)


def test_files_of_another_format_count_too(sink: SaveNumpy) -> None:
    with pytest.raises(UsageError, match="holds features made with"):
        SavePickle(folder=sink.folder).prepare(NEW, [CLIP, CLIP_2], KEYS, True)()


def test_a_setting_that_came_or_went_is_a_difference(sink: SaveNumpy) -> None:
    with pytest.raises(UsageError, match=r"pooling=None \(now mean\)"):
        sink.prepare({**OLD, "pooling": "mean"}, [CLIP], KEYS, False)()
    with pytest.raises(UsageError, match=r"hop_seconds=0.96 \(now None\)"):
        sink.prepare({"checkpoint": "random, seed 0"}, [CLIP], KEYS, False)()


@pytest.mark.parametrize("content", ["", "[1", "just words"])
def test_unreadable_record_is_named(content: str, sink: SaveNumpy) -> None:
    Path(sink.folder, "extraction.yaml").write_text(content)
    with pytest.raises(UsageError, match=r"extraction\.yaml: unreadable"):
        sink.prepare(OLD, [CLIP], KEYS, False)()


def test_empty_folder_with_a_record_is_free(tmp_path: Path) -> None:
    sink = SaveNumpy(folder=str(tmp_path))
    sink.prepare(OLD, [CLIP], KEYS, False)()
    sink.finish()
    sink.prepare(NEW, [CLIP], KEYS, False)()
    assert recorded(sink) == NEW


def test_a_setting_that_came_later_means_in_older_records_what_it_was_before(sink: SaveNumpy) -> None:
    old_way = {**OLD, "dither": AddedSetting("none", before="none")}
    sink.prepare(old_way, [CLIP], KEYS, False)()
    with pytest.raises(UsageError, match=r"dither=none \(now noise\)"):
        sink.prepare({**OLD, "dither": AddedSetting("noise", before="none")}, [CLIP], KEYS, False)()
    sink.finish()
    sink.prepare({**OLD, "dither": AddedSetting("noise", before="none")}, [CLIP, CLIP_2], KEYS, True)()
    assert recorded(sink) == {**OLD, "dither": "noise"}
    with pytest.raises(UsageError, match="another run is writing"):  # this one, which has not ended
        SaveNumpy(folder=sink.folder).prepare(old_way, [CLIP], KEYS, False)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"colours": "tagged"}, {"color_matrix": "tagged"}),
        ({"fps_method": "timestamps"}, {"fps_method": "select"}),
        ({"fps_filter": "ffmpeg"}, {"fps_method": "reencode"}),
        ({"layout": "demo"}, {"record_fields": "embeddings"}),
        ({"layout": "audioset"}, {"record_fields": "audioset"}),
    ],
)
def test_older_names_and_values_of_settings_are_known(
    older: dict[str, str], newer: dict[str, str], sink: SaveNumpy
) -> None:
    record = Path(sink.folder, "extraction.yaml")
    record.write_text(yaml.safe_dump({**OLD, **older}))
    sink.prepare({**OLD, **newer}, [CLIP], KEYS, False)()
    [name] = newer
    with pytest.raises(UsageError, match=rf"{name}={newer[name]} \(now other\)"):
        sink.prepare({**OLD, name: "other"}, [CLIP], KEYS, False)


def test_features_without_a_record_of_settings_are_refused_unless_adopted(sink: SaveNumpy) -> None:
    Path(sink.folder, "extraction.yaml").unlink()
    with pytest.raises(UsageError, match=r"such as clip_2_flow\.npy, but no extraction\.yaml.*adopt=true"):
        sink.prepare(NEW, [CLIP, CLIP_2], KEYS, False)
    SaveNumpy(folder=sink.folder, adopt=True).prepare(NEW, [CLIP, CLIP_2], KEYS, False)()
    assert recorded(sink) == NEW
    assert sink.has(CLIP, KEYS)


def test_other_files_in_the_folder_are_none_of_its_business(tmp_path: Path) -> None:
    for name in ("README.txt", "map.html", ".DS_Store", ".x.1.part"):
        (tmp_path / name).touch()
    SaveNumpy(folder=str(tmp_path)).prepare(OLD, [CLIP], KEYS, False)()
    assert recorded(SaveNumpy(folder=str(tmp_path))) == OLD


def test_hidden_features_count(tmp_path: Path) -> None:
    hidden = Source(".hid.wav", ".hid")
    sink = SaveNumpy(folder=str(tmp_path))
    sink.prepare(OLD, [hidden], KEYS, False)()
    sink.write(Features(hidden, {key: np.zeros((1, 2), np.float32) for key in KEYS}, np.zeros((1, 2))))
    sink.finish()
    with pytest.raises(UsageError, match="holds features made with"):
        sink.prepare(NEW, [CLIP], KEYS, True)


def test_of_two_runs_that_begin_together_one_is_refused(tmp_path: Path) -> None:
    first, second, third = (SaveNumpy(folder=str(tmp_path / "new")) for _ in range(3))
    begin_first = first.prepare(OLD, [CLIP], KEYS, False)
    begin_second = second.prepare(NEW, [CLIP], KEYS, False)
    begin_third = third.prepare(OLD, [CLIP_2], KEYS, False)
    begin_first()
    with pytest.raises(UsageError, match=r"another run began there with hop_seconds=0.96 \(now 0.48\)"):
        begin_second()
    begin_third()  # the same settings
    assert recorded(first) == OLD
