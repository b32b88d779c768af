"""Outputs that can't be written: the sources at fault fail, and the same command completes them once there is room."""

from __future__ import annotations

import ctypes
import errno
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from command import wait_until
from victim import Undisturbed, Victim, check_rerun, new

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


@pytest.mark.parametrize("sink", ["save_npz", "save_hdf5"])
def test_a_full_disk(sink: str, tmp_path: Path, undisturbed: Undisturbed) -> None:
    victim = new(tmp_path, sink)
    with small_disk(victim.output):
        victim.plan({"decode-clip2": "hold"})
        with replace(victim, more=("batch_size=1",)).running() as run:
            run.reached("decode-clip2")
            assert wait_until(lambda: b'"path"' in b"".join(map(Path.read_bytes, victim.stored.glob(".sources.*"))), 60)
            fill(victim.output / "ballast")
            run.release("decode-clip2")
            result = run.end()
        assert result.code == 1, result.stderr
        assert "clip3.wav: No space left on device" in result.stderr
        assert f"error: {victim.stored}" in result.stderr
        assert "Traceback" not in result.stderr
        (victim.output / "ballast").unlink()
        check_rerun(victim, undisturbed)


def test_a_file_that_may_not_grow(tmp_path: Path, undisturbed: Undisturbed) -> None:
    """As a full disk, on every system."""
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
    victim.plan({"decode-clip2": "hold"})
    with victim.running(prepare=bound_by_modes) as run:
        run.reached("decode-clip2")
        victim.stored.chmod(0o555)
        run.release("decode-clip2")
        result = run.end()
    victim.stored.chmod(0o755)
    assert result.code == 1, result.stderr
    assert "Permission denied" in result.stderr
    assert "Traceback" not in result.stderr
    check_rerun(victim, undisturbed)


@pytest.mark.parametrize("sink", ["save_tfrecord", "save_table"])
def test_a_folder_that_was_removed(sink: str, tmp_path: Path, undisturbed: Undisturbed) -> None:
    victim = new(tmp_path, sink)
    victim.plan({"decode-clip2": "hold"})
    with victim.running() as run:
        run.reached("decode-clip2")
        shutil.rmtree(victim.stored)
        run.release("decode-clip2")
        result = run.end()
    assert result.code == 1, result.stderr
    assert f"error: {victim.stored} was deleted during the run, and what it held is lost" in result.stderr
    assert "Traceback" not in result.stderr
    assert not victim.stored.exists()
    check_rerun(victim, undisturbed)
