"""Folders in object storage, where nothing can be locked, hold features of one set of settings only."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from runs import OTHERS, ROWS, SETTINGS, extract, get, new, put

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.files import SaveNumpy
from torch_zoo.utils.types import Source, UsageError


@pytest.fixture
def sink(bucket: str) -> SaveNumpy:
    return SaveNumpy(folder=f"{bucket}/features")


@pytest.fixture
def clips() -> list[Source]:
    return [Source(f"{name}.mp4", name) for name in "abc"]


def test_a_folder_holds_features_of_one_setting(sink: SaveNumpy, clips: list[Source]) -> None:
    extract(sink, clips)
    with pytest.raises(UsageError, match=r"features holds features made with hop_seconds=0.96 \(now 0.48\)"):
        new(sink).prepare(OTHERS, clips, ROWS, False)
    with pytest.raises(UsageError, match=r"made with name_pattern=\{name\}_\{key\} \(now \{key\}/\{name\}\)"):
        new(sink, name_pattern="{key}/{name}").prepare(SETTINGS, clips, ROWS, False)
    again = new(sink)
    again.prepare(OTHERS, clips, ROWS, True)()
    assert yaml.safe_load(get(f"{sink.folder}/extraction.yaml")) == OTHERS
    assert not [name for name in storage.listing(sink.folder) if name.endswith(".npy")]


def test_of_two_runs_with_other_settings_the_first_stays(sink: SaveNumpy, clips: list[Source]) -> None:
    first, second, third = new(sink), new(sink), new(sink)
    begin_first = first.prepare(SETTINGS, clips, ROWS, False)
    begin_second = second.prepare(OTHERS, clips, ROWS, False)
    begin_first()
    with pytest.raises(UsageError, match=r"another run began there with hop_seconds=0.96 \(now 0.48\)"):
        begin_second()
    with pytest.raises(UsageError, match="a run, which may still go on, began there with hop_seconds"):
        third.prepare(OTHERS, clips, ROWS, False)
    third.prepare(OTHERS, clips, ROWS, True)()


def test_two_runs_that_write_their_settings_at_once(
    sink: SaveNumpy, clips: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is overtaken between its last look and its write finds out."""
    first, second = new(sink), new(sink)
    begin_first = first.prepare(SETTINGS, clips, ROWS, False)
    begin_second = second.prepare(OTHERS, clips, ROWS, False)
    real = storage.atomic_write

    def late(path: str, *arguments: Any) -> Any:
        monkeypatch.setattr(storage, "atomic_write", real)
        writing = real(path, *arguments)
        real_exit = writing.__exit__

        def overtaken(*error: Any) -> Any:
            done = real_exit(*error)
            put(path, b"hop_seconds: 0.48\n")
            return done

        class Writing:
            __enter__ = staticmethod(writing.__enter__)
            __exit__ = staticmethod(overtaken)

        return Writing()

    monkeypatch.setattr(storage, "atomic_write", late)
    with pytest.raises(UsageError, match=r"another run began there with hop_seconds=0.48 \(now 0.96\)"):
        begin_first()
    begin_second()
