"""Outputs that can't be written: the run ends if nothing can, and the same command completes it once there is room."""

from __future__ import annotations

import ctypes
import errno
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from command import Result, wait_until
from outputs import outputs
from victim import CLIPS, Undisturbed, Victim, check_rerun, new

NEVER = {f"decode-{CLIPS[-1]}": "hold"}  # the last source is not waited for: the run ends without it
PR_CAPBSET_DROP = 24
PERMISSION_OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: by which root may do what a mode forbids


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 1 MB, mounted there."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(file: Path) -> None:
    """All that is left of its disk, to the last byte."""
    with file.open("wb", buffering=0) as ballast:
        for size in (4096, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


def check_end(victim: Victim, result: Result, reason: str) -> None:
    """Nothing failed: what is done is complete and counted, and the last line says why the rest is left."""
    assert result.code == 1, result.stderr
    [done] = re.findall(r"^(\d+) done, 0 skipped, 0 empty, 0 failed;", result.stderr, re.MULTILINE)
    left = len(CLIPS) - int(done)
    count = "1 source is" if left == 1 else f"{left} sources are"
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"error: {victim.stored}"), result.stderr
    assert f": cannot be written ({reason})" in last
    assert last.endswith(f"; {count} left, and the same command goes on from there")
    assert "Traceback" not in result.stderr
    assert not (victim.stored / "failures.csv").exists()


@pytest.mark.parametrize(("sink", "workers"), [("save_npz", "[0]"), ("save_numpy", "[0,1]"), ("save_hdf5", "[0]")])
def test_a_full_disk(sink: str, workers: str, tmp_path: Path, undisturbed: Undisturbed) -> None:
    victim = new(tmp_path, sink)
    with small_disk(victim.output):
        victim.plan({"decode-clip2": "hold", **NEVER})
        with replace(victim, more=("batch_size=1", f"device_ids={workers}")).running() as run:
            run.reached("decode-clip2")
            assert wait_until(lambda: b'"path"' in b"".join(map(Path.read_bytes, victim.stored.glob(".sources.*"))), 60)
            fill(victim.output / "ballast")
            run.release("decode-clip2")
            result = run.end()
        check_end(victim, result, "No space left on device")
        assert outputs(victim.stored).items() <= undisturbed(sink).items()
        (victim.output / "ballast").unlink()
        victim.plan({})
        check_rerun(victim, undisturbed)


def test_a_file_that_may_not_grow(tmp_path: Path, undisturbed: Undisturbed) -> None:
    """What is too large for one file may fit into another: its source fails, and the run goes on."""
    victim = new(tmp_path, "save_webdataset")
    victim.plan({"decode-clip2": "hold", "forward": "hold"})
    with victim.running() as run:
        worker = run.reached("forward")
        run.release("forward")
        run.reached("decode-clip2")
        [journal] = victim.stored.glob("features.*.journal")
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (journal.stat().st_size + 1000,) * 2)
        run.release("decode-clip2")
        result = run.end()
    assert result.code == 1
    assert "failed: " in result.stderr and "File too large" in result.stderr
    check_rerun(victim, undisturbed)


def bound_by_modes() -> None:
    """Take from this process, if it is root's, the right to write whatever the mode of a file says."""
    for capability in PERMISSION_OVERRIDES:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_a_folder_made_read_only(victim: Victim, undisturbed: Undisturbed) -> None:
    victim.plan({"decode-clip2": "hold", **NEVER})
    with victim.running(prepare=bound_by_modes) as run:
        run.reached("decode-clip2")
        victim.stored.chmod(0o555)
        run.release("decode-clip2")
        result = run.end()
    victim.stored.chmod(0o755)
    check_end(victim, result, "Permission denied")
    victim.plan({})
    check_rerun(victim, undisturbed)


@pytest.mark.parametrize("sink", ["save_tfrecord", "save_table"])
def test_a_folder_that_was_removed(sink: str, tmp_path: Path, undisturbed: Undisturbed) -> None:
    victim = new(tmp_path, sink)
    victim.plan({"decode-clip2": "hold", **NEVER})
    with victim.running() as run:
        run.reached("decode-clip2")
        shutil.rmtree(victim.stored)
        run.release("decode-clip2")
        result = run.end()
    assert result.code == 1, result.stderr
    assert f"error: {victim.stored} was deleted during the run, and what it held is lost" in result.stderr
    assert "Traceback" not in result.stderr
    assert not victim.stored.exists()
    victim.plan({})
    check_rerun(victim, undisturbed)
