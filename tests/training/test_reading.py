"""Network inputs of clips: decoded or cached they are the same, and a clip that can't be read costs only itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from actors import Doubler, value
from sound_classes import write_classes

from torch_zoo.models.vggsound.extractor import VGGSoundExtractor
from torch_zoo.models.vggsound.trainable import Trainable
from torch_zoo.utils.training.cache import Cache, keys_of, make_room
from torch_zoo.utils.training.dataset import Clip
from torch_zoo.utils.training.feeding import num_batches, read_batches, shares, training_order, unreadable
from torch_zoo.utils.training.reading import ClipReader, FrontEnd
from torch_zoo.utils.types import MediaError, Source

FRONT_END = Trainable(model="resnet18", pooling="avgpool", window_seconds=0.5, checkpoint="random", seed=0).front_end


@contextmanager
def reader(cache: Cache | None = None, front_end: FrontEnd = FRONT_END, threads: int = 2) -> Iterator[ClipReader]:
    with closing(ClipReader(front_end, cache or Cache("nowhere"), threads)) as opened:
        yield opened


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """Longer than a window, and shorter ones."""
    folder = tmp_path_factory.mktemp("sounds")
    for seconds in (0.7, 0.3):
        write_classes(folder / f"{seconds}", 1, seconds, names=("hiss", "whistle"))
    return [Source(str(path), path.stem) for path in sorted(folder.rglob("*.wav"))]


def test_inputs_are_the_windows_of_the_extractor_in_half_precision(sounds):
    extractor = VGGSoundExtractor(checkpoint="random", window_seconds=0.5)
    with reader() as opened:
        for source in sounds:
            [windows] = extractor.windows(source)
            array = opened.inputs(source)
            assert array.dtype == np.float16
            np.testing.assert_array_equal(array, windows.data[0].astype(np.float16))
            assert np.abs(array - windows.data[0]).max() <= 2**-11 * np.abs(windows.data[0]).max()


def test_cached_inputs_are_those_that_were_decoded(sounds, tmp_path, monkeypatch):
    keys = keys_of(sounds, FRONT_END.settings)
    cache = make_room(str(tmp_path), keys[:2], FRONT_END.array_bytes, 10**9)
    with reader(cache) as opened:
        decoded = [opened.inputs(source) for source in sounds]
    monkeypatch.setattr(ClipReader, "_decoded", lambda *_: "decoded")
    with reader(cache) as opened:
        for source, array in zip(sounds[:2], decoded, strict=False):
            np.testing.assert_array_equal(opened.inputs(source), array)
        assert [opened.inputs(source) for source in sounds[2:]] == ["decoded"] * 2


def test_clips_that_can_not_be_read_are_found_with_the_reason(sounds, tmp_path):
    (tmp_path / "text.wav").write_text("hello")
    bad = [Source(str(tmp_path / name), name) for name in ("text.wav", "none.wav")]
    clips = [Clip(source, 0) for source in (sounds[0], bad[0], sounds[1], bad[1])]
    with reader() as opened:
        found = unreadable(opened, clips)
        with pytest.raises(MediaError, match=r"none\.wav: No such file .* Continue with --resume"):
            list(read_batches(opened, [[clips[0], clips[3]]]))
    assert list(found) == bad
    assert found[bad[1]] == "No such file or directory"


@pytest.mark.parametrize("ending", ["kill", "exit", "media"])
def test_a_clip_that_ends_its_decoder_costs_only_itself(tmp_path, ending):
    def clip(name: str) -> Source:
        (tmp_path / name).write_text("")
        return Source(str(tmp_path / name), name)

    sources = [clip("good one"), clip(f"{ending} two"), clip("good three")]
    sources = [Source(f"{source.name.split()[0]} {source.name}", source.name) for source in sources]
    front_end = FrontEnd(extractor=Doubler(markers=str(tmp_path)), shape=(3, 1), seconds=1.0, settings={})
    with reader(front_end=front_end, threads=1) as opened:
        decoded = opened._decoded  # the paths say what happens, so there are no files to stamp
        assert decoded(sources[0]).tolist() == [[value(sources[0])]] * 3
        with pytest.raises(MediaError):
            decoded(sources[1])
        assert decoded(sources[2]).tolist() == [[value(sources[2])]] * 3


def test_results_come_in_order_and_not_too_many_wait():
    started, gate = [], threading.Event()

    def slow(number: int) -> int:
        started.append(number)
        gate.wait(5)
        return number

    with reader() as opened:
        results = opened.map(slow, range(100), ahead=4)
        gate.set()
        assert [next(results) for _ in range(10)] == list(range(10))
        assert len(started) <= 14
        assert list(results) == list(range(10, 100))
        assert list(opened.map(slow, [], ahead=4)) == []


def test_an_epoch_has_each_clip_once_in_batches_of_nearly_equal_size():
    clips = [Clip(Source(str(number), str(number)), number) for number in range(103)]
    epochs = [shares(clips, 20, training_order(len(clips), seed=0, epoch=epoch)) for epoch in (1, 2, 1)]
    for groups in epochs:
        assert len(groups) == num_batches(103, 20) == 6
        assert {len(group) for group in groups} == {17, 18}
        assert sorted(clip.label for group in groups for clip in group) == list(range(103))
    assert epochs[0] == epochs[2] != epochs[1]


def test_every_process_gets_its_share_of_the_same_batches(monkeypatch):
    clips = [Clip(Source(str(number), str(number)), number) for number in range(50)]
    order = training_order(50, seed=0, epoch=3)
    whole = shares(clips, 8, order)
    monkeypatch.setattr("torch_zoo.utils.training.processes.number", lambda: 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr("torch_zoo.utils.training.processes.rank", lambda rank=rank: rank)
        parts.append(shares(clips, 8, order))
    for batch, of_processes in zip(whole, zip(*parts, strict=True), strict=True):
        assert sorted(clip.label for part in of_processes for clip in part) == sorted(clip.label for clip in batch)
        assert max(map(len, of_processes)) - min(map(len, of_processes)) <= 1


def test_batches_hold_the_inputs_and_the_labels(sounds: list[Source], tmp_path: Path):
    clips = [Clip(source, number) for number, source in enumerate(sounds)]
    with reader() as opened:
        one, two = read_batches(opened, [clips[:3], [], clips[3:]])
        assert one.inputs.shape == (3, *FRONT_END.shape)
        assert [*one.labels, *two.labels] == [0, 1, 2, 3]
        np.testing.assert_array_equal(two.inputs[0], opened.inputs(sounds[3]))
