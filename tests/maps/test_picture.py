"""The map as a PNG, and what its points are made of."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import av
import command
import numpy as np
import pytest
import soundfile
from map_tables import table
from PIL import Image
from video_maker import opencv

from torch_zoo.utils.maps import atlas, excerpts, picture
from torch_zoo.utils.types import MediaError

SPEECH = str(command.ROOT / "sample" / "speech.mp4")


@pytest.mark.parametrize(
    ("start", "end", "seconds", "length"), [(1.92, 2.88, 10, 0.96), (2, 9, 1.5, 1.5)], ids=["window", "cut"]
)
def test_sound_is_the_window_of_the_file(start: float, end: float, seconds: float, length: float) -> None:
    sound, rate = soundfile.read(io.BytesIO(excerpts.sound(SPEECH, start, end, seconds)))
    assert sound.ndim == 1
    assert len(sound) / rate == pytest.approx(length, abs=0.001)
    assert np.abs(sound).max() > 0.01
    with pytest.raises(MediaError):
        excerpts.sound("none.mp4", 0, 1, 10)


def test_frame_is_the_one_in_the_middle_of_the_window() -> None:
    image = Image.open(io.BytesIO(excerpts.frame(SPEECH, 1.0, 2.0)))
    fps, _, frames = opencv(Path(SPEECH))
    assert min(image.size) == excerpts.FRAME_EDGE

    def difference(index: int) -> float:
        theirs = Image.fromarray(np.asarray(frames[index], np.uint8)).resize(image.size, Image.Resampling.BILINEAR)
        return float(np.abs(np.asarray(theirs, float) - np.asarray(image, float)).mean())

    nearby = range(round(fps), round(2 * fps))
    assert min(nearby, key=difference) == round(1.5 * fps)
    assert excerpts.frame(SPEECH, 19, 29) == excerpts.frame(SPEECH, 19, 19 + 0.5 / fps)  # past the end of the video
    with pytest.raises(MediaError, match="the segment starts at 99 s"):
        excerpts.frame(SPEECH, 99, 100)


def test_clip_is_the_window_of_the_file() -> None:
    with av.open(io.BytesIO(excerpts.clip(SPEECH, 1.0, 9.0, 0.4))) as clip:
        frames = list(clip.decode(video=0))
    with av.open(SPEECH) as whole:
        expected = [frame for frame in whole.decode(video=0) if 1.0 <= frame.time < 1.4]
    assert [frame.time for frame in frames] == pytest.approx([frame.time - expected[0].time for frame in expected])
    assert min(frames[0].width, frames[0].height) == excerpts.CLIP_EDGE


@pytest.mark.parametrize("projection", ["pca", "tsne", "umap"])
def test_image_of_a_map(projection: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    if projection == "umap":
        pytest.importorskip("umap")
    path = table(tmp_path, np.random.default_rng(0).normal(size=(9, 5)), "a")
    target = tmp_path / "new" / "map.png"
    call = [sys.executable, "-m", picture.__name__, str(path), str(target), "--projection", projection]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}  # compiling UMAP takes longer than running it here
    subprocess.run(call, cwd=command.ROOT, env=environment, check=True)
    pixels = np.asarray(Image.open(target).convert("RGB")).reshape(-1, 3).astype(float)
    assert (pixels > 240).all(axis=1).mean() > 0.8  # light
    blue = 0.75 * np.array([0x00, 0x72, 0xB2]) + 0.25 * 255  # of the only source, on white with alpha 0.75
    assert (np.abs(pixels - blue).max(axis=1) < 3).sum() > 300


def test_a_picture_names_axes_groups_and_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many sources at the same place: no two names overlap."""
    figures = pytest.importorskip("matplotlib.figure")
    drawn = []
    saved = figures.Figure.savefig
    monkeypatch.setattr(
        figures.Figure, "savefig", lambda self, *args, **how: (drawn.append(self), saved(self, *args, **how))
    )
    names = [f"source number {number}" for number in range(30)]
    vectors = np.random.default_rng(0).normal(size=(2, 5))
    path = table(tmp_path / "vggish", vectors, names, listed={name: {"label": name[-1]} for name in names})
    assert picture.main([str(path), str(tmp_path / "map.png")]) == 0
    [axes] = drawn[0].axes
    assert axes.get_title(loc="left") == "vggish (random, seed 0): 60 rows of 30 sources, colored by label"
    assert axes.get_xlabel().startswith("principal component 1 (")
    assert axes.get_ylabel().startswith("principal component 2 (")
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [*(f"{label} (6)" for label in range(7)), "3 others (18)"]
    boxes = [text.get_bbox_patch().get_window_extent() for text in axes.texts]
    texts = [super(type(text), text).get_window_extent() for text in axes.texts]
    assert len(boxes) > 20
    assert {text.get_text() for text in axes.texts} <= set(names)
    for index, one in enumerate(texts):
        for other in texts[:index]:
            assert (
                min(one.x1, other.x1) - max(one.x0, other.x0) < 0.5
                or min(one.y1, other.y1) - max(one.y0, other.y0) < 0.5
            )


def test_a_picture_needs_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert picture.main(["one.parquet", "other.parquet"]) == 2
    assert "other.parquet: the last argument is the .png to write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "extra", "options"),
    [
        ("matplotlib", "map", []),
        ("sklearn", "map", ["--projection", "tsne"]),
        ("sklearn", "map", ["--color-by", "cluster"]),
        ("umap", "umap", ["--projection", "umap"]),
        ("embedding_atlas", "atlas", []),
    ],
)
def test_a_missing_extra_is_reported_in_one_line(
    missing: str,
    extra: str,
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = table(tmp_path, np.random.default_rng(0).normal(size=(3, 5)))
    monkeypatch.setitem(sys.modules, missing, None)
    if extra == "atlas":
        assert atlas.main([str(path)]) == 2
    else:
        assert picture.main([str(path), str(tmp_path / "map.png"), *options]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(f'is missing: pip install "torch-zoo[{extra}]"')
    assert not (tmp_path / "map.png").exists()


def test_frames_and_clips_are_served_for_features_of_frames(tmp_path: Path) -> None:
    pytest.importorskip("embedding_atlas")
    client = pytest.importorskip("fastapi.testclient", reason="httpx is not installed")
    from torch_zoo.utils.maps.app import make_app
    from torch_zoo.utils.maps.points import read_points

    vectors = np.random.default_rng(0).normal(size=(3, 5))
    path = table(tmp_path, vectors, "a", settings={"color_matrix": "tagged"}, path=SPEECH)
    app = client.TestClient(make_app(read_points([str(path)]), "http://testserver", 0.2))
    assert app.get("/frame/1").content == excerpts.frame(SPEECH, 1, 2)
    assert app.get("/clip/1").headers["content-type"] == "video/mp4"
    assert app.get("/frame/3").status_code == 404
    assert app.get("/sound/1").status_code == 404
