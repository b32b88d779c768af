"""Several runs share a list: at once into one folder, or as jobs of a launcher."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command import ROOT, run, start

from torch_zoo import main
from torch_zoo.utils.terminal import checks, grammar
from torch_zoo.utils.terminal.catalogue import Catalogue
from torch_zoo.utils.types import UsageError

SLURM = (ROOT / "docs/slurm.md").read_text()
LISTS = (ROOT / "docs/lists.md").read_text()
NAMES = [f"wave_{number}" for number in range(6)]


@pytest.fixture
def options(outside: Path, tmp_path: Path) -> list[str]:
    """Of a run over six copies of a recording and a file that is none, which is in the second of two shards."""
    for name in NAMES:
        shutil.copy(outside / "wave.wav", tmp_path / f"{name}.wav")
    (tmp_path / "bad.wav").write_text("no media")
    media, folder = f"video_paths={tmp_path}", f"output_path={tmp_path / 'out'}"
    return [
        "--config-dir",
        str(outside / "configs"),
        "feature_type=loudness",
        "device=cpu",
        "num_decoders=1",
        media,
        folder,
    ]


def test_shards_write_into_one_folder_at_once(options: list[str], outside: Path, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(outside)}
    shards = [f"shard={number}/2" for number in (1, 2)]
    runs = [start(*options, "on_extraction=save_table", shard, environment=environment) for shard in shards]
    said = [each.communicate(timeout=100)[1] for each in runs]
    assert sorted(each.returncode for each in runs) == [0, 1], said
    counts = [
        int(text.split(f"shard {number} of 2: ")[1].split(" of 7 sources")[0]) for number, text in enumerate(said, 1)
    ]
    assert sum(counts) == 7
    folder = tmp_path / "out/loudness"
    assert sorted(pq.read_table(folder / "embeddings.parquet")["name"].to_pylist()) == sorted(NAMES * 3)
    assert (folder / "failures.csv").read_text().count("bad.wav") == 1
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".journal") == []


def test_a_launcher_runs_the_shards_as_jobs(options: list[str], outside: Path, tmp_path: Path) -> None:
    """The command in the documentation, with other media and an extractor that loads faster."""
    [documented] = re.findall(r"^python main\.py (.*submitit_local.*)$", SLURM, re.MULTILINE)
    words = [word for word in documented.split() if word.partition("=")[0] not in ("feature_type", "video_paths")]
    jobs = f"hydra.sweep.dir={tmp_path / 'jobs'}"
    result = run(*words, jobs, *options, environment={"PYTHONPATH": str(outside)})
    assert result.code == 1
    assert result.stderr.splitlines()[-1] == "error: 1 failed; the log of the job, under hydra.sweep.dir, lists them"
    assert sorted(path.stem for path in tmp_path.rglob("*.npy")) == [f"{name}_rms" for name in NAMES]
    logs = "".join(path.read_text() for path in tmp_path.rglob("*_log.err"))
    assert "shard 1 of 2: " in logs
    assert "shard 2 of 2: " in logs


def test_a_launcher_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="not installed; pip install hydra-submitit-launcher"):
        main.compose(
            ["-m", "hydra/launcher=submitit_slurm", "feature_type=vggish", "video_paths=a.mp4", "shard=1/2,2/2"]
        )


def test_commands_in_the_documentation_are_valid() -> None:
    text = (SLURM + LISTS).replace("\\\n", " ")
    commands = re.findall(r"^(?:srun )?python main\.py (.*=.*)$", text, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        script = f"SLURM_ARRAY_TASK_ID=3; printf '%s\\n' {command}"
        words = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
        for line in grammar.combinations([word for word in words if word != "--multirun"]):
            checks.check(line, Catalogue())
