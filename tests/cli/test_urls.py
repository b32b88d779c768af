"""Media behind URLs give the features of local ones, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from command import ROOT, run
from faulty_server import Web

from torch_zoo.utils import storage

ONE_BY_ONE = ("feature_type=vggish", "checkpoint=random", "device=cpu", "batch_size=1", "on_extraction=save_numpy")


def arrays(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.load(path) for path in (folder / "vggish").glob("*.npy")}


def test_a_run_on_object_storage_equals_one_on_local_files(bucket: str, web: Web, tmp_path: Path) -> None:
    for name in ("speech.mp4", "music.mp4"):
        with storage.atomic_write(f"{bucket}/v/{name}") as file:
            file.write((ROOT / "sample" / name).read_bytes())
    speech = web.put("speech.mp4", (ROOT / "sample/speech.mp4").read_bytes(), drops=1)
    rows = f"path,start,end,name\n{{}},1,4,part\n{speech}?sig=hush,,,web\n{bucket}/gone.mp4,,,gone\n"
    (tmp_path / "segments.csv").write_text(rows.format(f"{bucket}/v/speech.mp4"))
    (tmp_path / "local.csv").write_text(
        "path,start,end,name\n./sample/speech.mp4,1,4,part\n./sample/speech.mp4,,,web\n"
    )

    remote = run(
        *ONE_BY_ONE, f"video_paths={bucket}/v/", f"file_with_video_paths={tmp_path}/segments.csv",
        f"output_path={tmp_path}/remote",
    )  # fmt: skip
    local = run(
        *ONE_BY_ONE, "video_paths=[./sample/music.mp4, ./sample/speech.mp4]",
        f"file_with_video_paths={tmp_path}/local.csv", f"output_path={tmp_path}/local",
    )  # fmt: skip
    assert local.code == 0, local.stderr
    assert remote.code == 1, remote.stderr
    assert f"failed: {bucket}/gone.mp4: no such file" in remote.stderr
    ours, theirs = arrays(tmp_path / "remote"), arrays(tmp_path / "local")
    assert sorted(ours) == sorted(theirs) == [f"{name}_vggish.npy" for name in ("music", "part", "speech", "web")]
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)
    records = "".join(path.read_text() for path in (tmp_path / "remote/vggish").glob("*[!y]") if path.is_file())
    for secret in ("hush", "not a secret"):
        assert secret not in records + remote.stderr
