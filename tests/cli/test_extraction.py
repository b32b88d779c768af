"""The product itself: media in, features out, the same whatever the sink, the number of workers and the batch."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from command import MUSIC, ROOT, ROUNDING, SAMPLES, SPEECH, Result, run

TWO_WORKERS = ("device_ids=[0,1]",)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Both clips on stdout, by two workers; one flag is in argparse spelling, one clip listed twice."""
    folder = tmp_path_factory.mktemp("printed")
    before = set(os.listdir(ROOT))
    result = run("--feature_type", "vggish", *SAMPLES, *TWO_WORKERS, f"video_paths={MUSIC}", f"output_path={folder}")
    assert set(os.listdir(ROOT)) == before
    assert os.listdir(folder) == []
    return result


def test_print_shows_key_array_and_figures_of_each_source_as_one_block(
    printed: Result, direct: dict[str, np.ndarray]
) -> None:
    assert printed.code == 0, printed.stderr
    blocks = re.split(r"\n(?=\./sample)", printed.stdout.strip())
    by_path = {block.splitlines()[0]: block.splitlines() for block in blocks}
    assert set(by_path) == {SPEECH, MUSIC}
    for path, (_, key, *array, figures, rows) in by_path.items():
        assert rows == "rows: 0.96 s, one every 0.96 s"
        embedding = direct[Path(path).stem]
        assert key == "vggish"
        assert array[0].startswith("[[")
        assert array[-1].endswith("]]")
        found = re.fullmatch(r"max: (\d+\.\d{8}); mean: (\d+\.\d{8}); min: (\d+\.\d{8})", figures)
        assert found, figures
        expected = [embedding.max(), embedding.mean(), embedding.min()]
        assert np.allclose([float(figure) for figure in found.groups()], expected, atol=1e-4)


def test_all_but_features_goes_to_stderr(printed: Result) -> None:
    assert "2 done, 0 skipped, 0 empty, 0 failed" in printed.stderr
    assert "s of media" in printed.stderr
    assert "each row: num_frames=96, feat_stride=96, fps=100 (0.96 s, one every 0.96 s)\n" in printed.stderr
    assert "\r" not in printed.stderr  # no bar where there is no terminal
    assert "Traceback" not in printed.stderr
    assert f"1 duplicate is left out, e.g. {MUSIC} (./sample/sample_video_paths.txt, line " in printed.stderr


def test_save_numpy_by_two_workers_in_small_batches(saved: Path, direct: dict[str, np.ndarray]) -> None:
    files = {path.name: np.load(path) for path in saved.glob("*.npy")}
    assert set(files) == {"speech_vggish.npy", "music_vggish.npy"}
    for name, embedding in direct.items():
        array = files[f"{name}_vggish.npy"]
        assert (array.dtype, array.shape) == (np.float32, embedding.shape)
        assert array.shape[1] == 128
        assert np.allclose(array, embedding, rtol=0, atol=ROUNDING)


def test_save_pickle_with_segments_and_other_batches(tmp_path: Path, direct: dict[str, np.ndarray]) -> None:
    """Whole files and segments of them together; a segment of whole hops is a part of the whole."""
    table = tmp_path / "list.csv"
    rows = [f"{SPEECH},,,", f"{MUSIC},,,", f"{SPEECH},0,4.8,beginning", f"{MUSIC},2,5,"]
    table.write_text("\n".join(["path,start,end,name", *rows]))
    wavs = tmp_path / "wavs"
    result = run(
        *("feature_type=vggish", "checkpoint=random", "device=cpu", "on_extraction=save_pickle"),
        *(f"file_with_video_paths={table}", f"output_path={tmp_path}", "batch_size=1"),
        *("keep_tmp_files=true", f"tmp_path={wavs}"),
    )
    assert result.code == 0, result.stderr
    folder = tmp_path / "vggish"
    arrays = {path.name: pickle.loads(path.read_bytes()) for path in folder.glob("*.pkl")}
    assert set(arrays) == {f"{name}_vggish.pkl" for name in ("speech", "music", "beginning", "music_2_5")}
    for name, embedding in direct.items():
        assert np.allclose(arrays[f"{name}_vggish.pkl"], embedding, rtol=0, atol=ROUNDING)
    assert arrays["music_2_5_vggish.pkl"].shape == (3, 128)
    assert np.allclose(arrays["beginning_vggish.pkl"][:4], direct["speech"][:4], rtol=0, atol=ROUNDING)
    assert {path.name for path in wavs.iterdir()} == {f"{name}.wav" for name in (*direct, "beginning", "music_2_5")}


def test_a_users_own_sink_is_one_config_and_one_class(tmp_path: Path, short: Path) -> None:
    (tmp_path / "conf/on_extraction").mkdir(parents=True)
    (tmp_path / "conf/on_extraction/save_mean.yaml").write_text("_target_: my_sinks.SaveMean\ndigits: 3\n")
    (tmp_path / "my_sinks.py").write_text(
        "from dataclasses import dataclass\n"
        "from pathlib import Path\n"
        "from torch_zoo.utils.types import Features, Sink\n\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class SaveMean(Sink):\n"
        "    folder: str\n"
        "    digits: int = 2\n\n"
        "    def write(self, features: Features) -> str:\n"
        "        Path(self.folder).mkdir(parents=True, exist_ok=True)\n"
        "        for key, array in features.arrays.items():\n"
        "            file = Path(self.folder) / f'{features.source.name}_{key}.txt'\n"
        "            file.write_text(f'{len(array)} {array.mean():.{self.digits}f}')\n"
        "        return 'saved ' + features.source.name\n"
    )
    result = run(
        *("--config-dir", tmp_path / "conf", "feature_type=vggish", "on_extraction=save_mean", "checkpoint=random"),
        *("device=cpu", f"video_paths={short}", f"output_path={tmp_path}", "last_window=pad"),
        environment={"PYTHONPATH": str(tmp_path)},
    )
    assert (result.code, result.stdout) == (0, "saved short\n"), result.stderr
    assert re.fullmatch(r"1 \d+\.\d{3}", (tmp_path / "vggish/short_vggish.txt").read_text())
