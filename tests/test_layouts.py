"""Each layout is what its training code reads: by loaders written from what these document, with composed options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import soundfile
from hydra import compose, initialize_config_dir
from video_maker import write_video

from torch_zoo.utils import options
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.terminal.catalogue import CONFIGS, Catalogue
from torch_zoo.utils.terminal.command_lines import of_one_run
from torch_zoo.utils.types import Extractor, Features, Source

LAYOUTS = [tuple(choice.split("/")) for choice in Catalogue().choices("layout")]
VIDEO = Source("v_1.mp4", "v_1")
SECONDS = 7


def composed(layout: str, feature_type: str, folder: Path, *overrides: str) -> tuple[Extractor, FolderSink]:
    line = of_one_run([f"feature_type={feature_type}", f"layout={layout}", *overrides], Catalogue())
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config: dict[str, Any] = dict(compose("config", line))
    given = {**config, "folder": str(folder), "checkpoint": "random"}
    extractor, sink = (
        options.build(options.import_target(config[group]._target_, group), {**given, **config[group]})
        for group in ("feature_type", "on_extraction")
    )
    return extractor, sink  # type: ignore[return-value]


def opentad(folder: Path, key: str) -> list[np.ndarray]:
    """`LoadFeats(feat_format="npz")`: `feats` (T, C) of <data_path>/<video>.npz; a list of paths is joined."""
    streams = [folder / "rgb", folder / "flow"] if key == "rgb" else [folder]
    return [np.load(path / "v_1.npz")["feats"] for path in streams]


def moment_detr(folder: Path, key: str) -> list[np.ndarray]:
    """Each of `v_feat_dirs` has <vid>.npz, of which `features` is (T, D), one row for each clip of 2 s."""
    streams = [folder / "rgb", folder / "flow"] if key == "rgb" else [folder]
    return [np.load(path / "v_1.npz")["features"] for path in streams]


def bmt(folder: Path, key: str) -> list[np.ndarray]:
    """VGGish in <id>.npy, I3D in <id>_rgb.npy and <id>_flow.npy, which must be of one shape."""
    names = ["v_1_rgb.npy", "v_1_flow.npy"] if key == "rgb" else ["v_1.npy"]
    return [np.load(folder / name) for name in names]


def mdvc(folder: Path, key: str) -> list[np.ndarray]:
    """One HDF5 file of each extractor: <id>/vggish_features, <id>/i3d_features/rgb and <id>/i3d_features/flow."""
    names = ["i3d_features/rgb", "i3d_features/flow"] if key == "rgb" else ["vggish_features"]
    with h5py.File(folder / "features.h5") as file:
        return [np.array(file.get(f"v_1/{name}")) for name in names]


LOADERS: dict[str, Callable[[Path, str], list[np.ndarray]]] = {
    "opentad": opentad,
    "moment_detr": moment_detr,
    "bmt": bmt,
    "mdvc": mdvc,
}


@pytest.mark.parametrize(("layout", "feature_type"), LAYOUTS)
def test_its_loader_finds_the_features(layout: str, feature_type: str, tmp_path: Path) -> None:
    extractor, sink = composed(layout, feature_type, tmp_path)
    random = np.random.default_rng(0)
    arrays = {key: random.random((3, *row.shape)).astype(row.base) for key, row in extractor.arrays.items()}
    sink.prepare({}, [VIDEO], extractor.arrays, False)()
    sink.write(Features(VIDEO, arrays, np.zeros((3, 2))))
    sink.finish()
    [first, *_] = arrays
    loaded = LOADERS[layout](tmp_path, first)
    assert loaded
    for ours, key in zip(loaded, arrays, strict=False):
        assert ours.ndim == 2
        np.testing.assert_array_equal(ours, arrays[key], strict=True)
    assert layout == "mdvc" or len(list(tmp_path.rglob("v_1*"))) == len(loaded)
    sink.prepare({}, [VIDEO], extractor.arrays, False)
    assert sink.has(VIDEO, extractor.arrays)


@pytest.mark.parametrize("feature_type", [name for layout, name in LAYOUTS if layout == "moment_detr"])
def test_moment_detr_gets_a_row_for_each_two_seconds(feature_type: str, tmp_path: Path) -> None:
    """Also for those that have only begun: 4 rows of 7 s."""
    only_rgb = ("streams=rgb", "~keys.flow") if feature_type == "i3d" else ()
    extractor, _ = composed("moment_detr", feature_type, tmp_path, *only_rgb)
    if feature_type == "i3d":
        path = write_video(tmp_path / "v_1.mp4", 25 * SECONDS)
    else:
        path = tmp_path / "v_1.wav"
        soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, SECONDS * 16_000), 16_000)
    times = np.concatenate([each.times[:, :2] for each in extractor.windows(Source(str(path), "v_1"))])
    np.testing.assert_allclose(times[:, 0], [0, 2, 4, 6], atol=1e-6)
    timing = extractor.timing
    assert timing
    assert timing.fps
    assert timing.feat_stride / timing.fps == 2.0
