"""Locks of a folder's runs, where the file system is as particular as NFS: it locks only what may be written."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest
from sink_runs import done, run
from table_maker import features

from torch_zoo.utils.sinks import journal
from torch_zoo.utils.sinks.files import SaveNumpy
from torch_zoo.utils.sinks.hdf5 import SaveHDF5
from torch_zoo.utils.sinks.member import Member
from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.sinks.webdataset import SaveWebDataset

flock = fcntl.flock


def nfs_flock(file: object, operation: int) -> None:
    """As Linux emulates flock on NFS, by byte-range locks (flock(2), details)."""
    descriptor = file if isinstance(file, int) else file.fileno()  # type: ignore[attr-defined]
    if operation & fcntl.LOCK_EX and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    flock(descriptor, operation)


@pytest.fixture(autouse=True)
def on_nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", nfs_flock)


def test_this_lock_refuses_what_can_only_be_read(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with (tmp_path / "x").open("rb") as file, pytest.raises(OSError, match="Bad file descriptor"):
        fcntl.flock(file, fcntl.LOCK_EX)


def test_journals_of_others_are_told_apart(tmp_path: Path) -> None:
    mine = journal.Journal(tmp_path, "x.*.journal", "1")
    mine.append(b"entry")
    assert journal.running(tmp_path, "x.*.journal")
    with journal.exited(tmp_path, "x.*.journal") as found:
        assert not found
    mine.close()
    assert not journal.running(tmp_path, "x.*.journal")
    with journal.exited(tmp_path, "x.*.journal") as found:
        assert [path.read_bytes() for path in found] == [b"entry"]


@pytest.mark.parametrize("kind", [SaveNumpy, SaveTable, SaveHDF5, SaveWebDataset])
def test_runs_follow_each_other(kind: type[SaveNumpy | SaveTable | SaveHDF5 | SaveWebDataset], tmp_path: Path) -> None:
    if kind is SaveHDF5:
        pytest.importorskip("h5py")
    everything = [features(name) for name in ("a", "b")]
    assert run(kind(folder=str(tmp_path)), everything[0]) == ["a"]
    assert run(kind(folder=str(tmp_path)), *everything) == ["b"]
    assert done(kind(folder=str(tmp_path)), everything) == ["a", "b"]


def test_a_journal_of_another_run_is_left_to_it_also_where_its_lock_means_nothing(tmp_path: Path) -> None:
    other = Member(tmp_path)
    other.join()
    journal.Journal(tmp_path, "x.*.journal", f"{other.id}-1").close()  # which frees its lock
    with journal.exited(tmp_path, "x.*.journal") as found:
        assert not found
    other.leave()
    with journal.exited(tmp_path, "x.*.journal") as found:
        assert len(found) == 1
