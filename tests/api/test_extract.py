"""`extract` and `Extractor`: features of any extractor from Python."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import command
import numpy as np
import pytest
import soundfile
import torch
from actors import WINDOWS, value
from command import ROOT
from media_maker import noise_and_tone
from video_maker import LOSSLESS, write_video

import torch_zoo
from torch_zoo import Extracted, Extractor, MediaError, Source, UsageError, extract
from torch_zoo.utils.engines import inline

QUIET = {"device": "cpu", "progress": False}
VGGISH = {"feature_type": "vggish", "checkpoint": "random", **QUIET}


@pytest.fixture(scope="module")
def doubler(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Options of an extractor outside the package, whose paths say what happens; it doubles what they stand for."""
    folder = tmp_path_factory.mktemp("configs")
    (folder / "feature_type").mkdir()
    (folder / "feature_type/doubler.yaml").write_text(
        "# @package _global_\nfeature_type:\n  _target_: actors.Doubler\n\nmarkers: .\nloading: well\n"
    )
    return {"feature_type": "doubler", "config_dir": folder, **QUIET}


def doubled(item: Extracted, number: int = 0) -> bool:
    """Are these the features of the item's own source, the `number`th of the call?"""
    name = f"{number}_{item.source.name}"
    expected = 2 * value(Source(item.source.path, name))
    return item["doubled"].shape == (WINDOWS, 2) and bool((item["doubled"] == expected).all())


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    write_video(folder / "clip.mkv", 21, size=(64, 48), **LOSSLESS)
    soundfile.write(folder / "sound.wav", noise_and_tone(3.5, 44_100), 44_100)
    return folder


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sound.wav", {"feature_type": "vggish", "preset": "google", "hop_seconds": 0.48}),
        ("clip.mkv", {"feature_type": "i3d", "streams": "rgb", "stack_size": 10, "step_size": 5}),
        ("sound.wav", {"feature_type": "vggsound", "pooling": "avgpool", "window_seconds": 1, "hop_seconds": 1}),
    ],
)
def test_features_are_those_of_the_command_line(
    name: str, options: dict[str, object], media: Path, tmp_path: Path
) -> None:
    words = [f"{key}={text}" for key, text in {**options, "checkpoint": "random", "device": "cpu"}.items()]
    run = command.run(*words, f"video_paths={media / name}", "on_extraction=save_numpy", f"output_path={tmp_path}")
    assert run.code == 0, run.stderr
    saved = {path.stem.partition("_")[2]: np.load(path) for path in tmp_path.rglob("*.npy")}
    item = extract(media / name, checkpoint="random", **options, **QUIET)
    assert set(item) == set(saved) and len(item) == len(saved) > 0
    for key, array in item.items():
        np.testing.assert_array_equal(array, saved[key], strict=True)
    assert item.times.shape == (len(next(iter(item.values()))), 2)
    assert item.fps == (25 if name == "clip.mkv" else None)


def test_several_come_in_order_whoever_is_done_first(doubler: dict[str, object], tmp_path: Path) -> None:
    paths = ["wait a", "media x", "good b", "kill c", "empty d", "good b", "release e"]
    items = list(extract(paths, markers=str(tmp_path), num_decoders=3, **doubler))
    assert [item.source.path for item in items] == paths
    errors = {1: "no audio stream", 3: "SIGKILL"}
    for number, item in enumerate(items):
        if error := errors.get(number):
            assert error in str(item.error) and str(item.error).startswith(f"{paths[number]}: ")
            assert (len(item), item.times.shape, "doubled" in item) == (0, (0, 2), False)
            with pytest.raises(MediaError, match=error):
                item["doubled"]
        elif number == 4:
            assert (item.error, item.message, item["doubled"].shape) == (None, "it has no window", (0, 2))
        else:
            assert item.error is None and doubled(item, number)


def test_nothing_new_is_decoded_while_too_much_waits_for_its_turn(
    doubler: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first source waits for the last one, which does not come before it has ended."""
    monkeypatch.setattr(inline, "MOST_EARLY_BYTES", 1)
    paths = ["wait a", *["good b"] * 40, "release c"]
    first, *others = extract(paths, markers=str(tmp_path), num_decoders=2, timeout=2, **doubler)
    assert "no progress for 2 s" in str(first.error)
    assert all(doubled(item, number) for number, item in enumerate(others, 1))


def test_alone_it_raises(doubler: dict[str, object]) -> None:
    assert doubled(extract("good a", **doubler))
    with pytest.raises(MediaError, match=r"^media x: no audio stream$"):
        extract("media x", **doubler)
    with pytest.raises(MediaError, match=r"^hang x: no progress for 1 s \(timeout=1\)"):
        extract("hang x", timeout=1, **doubler)
    with pytest.raises(MediaError, match=r"gone\.mp4: .*No such file"):
        extract("gone.mp4", **VGGISH)


def test_a_folder_and_a_pattern_are_several_and_a_segment_is_one(tmp_path: Path) -> None:
    sound = noise_and_tone(3.0, 16_000)
    for name in ("b.wav", "a.wav"):
        soundfile.write(tmp_path / name, sound, 16_000)
    with Extractor(feature_type="vggish", checkpoint="random", device="cpu") as extractor:
        for several in (tmp_path, f"{tmp_path}/*.wav", [tmp_path]):
            items = list(extractor(several, progress=False))
            assert [item.source.name for item in items] == ["a", "b"]
            np.testing.assert_array_equal(items[0]["vggish"], items[1]["vggish"])
        (tmp_path / "a.wav").unlink()
        assert len(list(extractor(tmp_path, progress=False))) == 1
        item = extractor(Source(str(tmp_path / "b.wav"), "mine", start=1.0))
        np.testing.assert_allclose(item.times, [[1, 1.96], [1.96, 2.92]])
        assert item.source.name == "mine"
        assert list(extractor([])) == []
    with pytest.raises(UsageError, match="closed"):
        extractor(tmp_path)


def test_networks_stay_loaded(monkeypatch: pytest.MonkeyPatch, media: Path) -> None:
    from torch_zoo.models.vggish.extractor import VGGishExtractor

    loads: list[str] = []
    load = VGGishExtractor.load
    monkeypatch.setattr(VGGishExtractor, "load", lambda *given: loads.append("") or load(*given))
    options = {**VGGISH, "seed": 12}
    first, again = (extract(media / "sound.wav", **options)["vggish"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(loads) == 1
    extract(media / "sound.wav", **{**options, "seed": 13})
    assert len(loads) == 2


def test_relative_paths_are_those_of_the_call(media: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(media)
    items = extract(["sound.wav"], **VGGISH)
    monkeypatch.chdir(tmp_path)
    assert next(items).error is None
    assert "No such file" in str(next(extract(["sound.wav"], **VGGISH)).error)


def test_several_threads_and_iterators_share_an_extractor(doubler: dict[str, object]) -> None:
    options = {name: given for name, given in doubler.items() if name != "progress"}
    with Extractor(**options) as extractor:
        paths = [f"good {number}" for number in range(5)]
        pairs = zip(extractor(paths, progress=False), extractor(paths[::-1], progress=False), strict=True)
        for number, (one, other) in enumerate(pairs):
            assert (one.source.path, other.source.path) == (paths[number], paths[-1 - number])
            assert doubled(one, number) and doubled(other, number)
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda path: doubled(extractor(path)), paths))
        abandoned = extractor(paths, progress=False)
        next(abandoned)
        del abandoned
        assert [doubled(item, number) for number, item in enumerate(extractor(paths, progress=False))] == [True] * 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"feature_type": "vgish"}, r"feature_type=vgish: there is no such choice; did you mean vggish\?"),
        ({"hop": 0.5}, r"hop: there is no such option; did you mean hop_seconds\?"),
        ({"stack_size": 16}, "stack_size: not an option of feature_type=vggish; it belongs to feature_type=i3d"),
        ({"pooling": "median"}, "pooling=median: must be one of mean, sum, max, null"),
        ({"preset": "yahoo"}, "preset=yahoo: there is no such choice"),
        ({"output_path": "there"}, "output_path=there: not an option of vggish in Python"),
        ({"batch_size": 0}, "batch_size=0: must be 1 or more"),
        ({"device": "gpu"}, "device=gpu: must be one of auto, cuda, cpu"),
        ({"device": "cuda:0", "device_ids": [1]}, r"device=cuda:0 is device_ids=\[0\]; give one of device=cuda:N and"),
        ({"device_ids": [0, 1]}, r"device_ids=\[0, 1\]: one device per Extractor"),
        ({"checkpoint": "gone.pth"}, r"checkpoint=gone\.pth: no such file"),
        ({"config_dir": "nowhere"}, "config_dir=nowhere: no such folder"),
    ],
)
def test_wrong_options_raise_before_any_work(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        extract(["gone.mp4"], **{**VGGISH, **wrong})


@pytest.mark.parametrize("media", [3, "", None, ["a.mp4", None], np.zeros(3)])
def test_what_is_no_path_is_named(media: object) -> None:
    with pytest.raises(UsageError, match="is not a path"):
        extract(media, **VGGISH)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_a_missing_gpu_is_named() -> None:
    with pytest.raises(UsageError, match="no CUDA device is visible"):
        Extractor(feature_type="vggish", checkpoint="random", device="cuda:1")


def test_exceptions_are_public_and_nothing_heavy_is_imported_for_them() -> None:
    code = (
        "import sys; from torch_zoo import Extractor, MediaError, OutputConflictError, TorchZooError, UsageError,"
        " WorkerError, extract; sys.exit(bool({'torch', 'hydra'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
    for name in ("MediaError", "OutputConflictError", "UsageError", "WorkerError"):
        assert issubclass(getattr(torch_zoo, name), torch_zoo.TorchZooError)


def test_the_callers_process_is_left_as_it_is(media: Path) -> None:
    """Nothing of Hydra, no other folder, arguments or number of threads; no signal handler: it may be a thread."""
    before = (os.getcwd(), list(sys.argv), torch.get_num_threads())
    found: list[Extracted] = []
    thread = threading.Thread(target=lambda: found.append(extract(media / "sound.wav", **VGGISH)))
    thread.start()
    thread.join()
    assert len(found[0]["vggish"]) == 3
    assert (os.getcwd(), list(sys.argv), torch.get_num_threads()) == before
