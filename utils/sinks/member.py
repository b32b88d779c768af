"""The runs that write to one local folder at the same time: which of them are alive, and what only one of them may do.

Shared file systems need not have locks, and clocks differ. So a run is a file that it touches every few seconds, and
what it holds is a symbolic link to its ID, which is created together with its content, or not at all:

    .sharing/runs/<id>                where it is: the mount, the host and the process
    .sharing/<what> -> <id>           who holds it
    .sharing/<what>.<id> -> <other>   who holds it since the run <id> ended; or `<id> ...`: what became of it

A run removes links of its own only, so that no two can take over the same one. When no other is alive, all are removed.
(Nothing is removed before: ext4 is slow to create files where others have just been deleted.)
"""

from __future__ import annotations

import errno
import logging
import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

from torch_zoo.utils.locks import lock

log = logging.getLogger(__name__)

FOLDER, RUNS, LOCK = ".sharing", "runs", "lock"
BEAT_SECONDS = 5.0
MISSED_BEATS = 12  # a run that does not touch its file while another one does so this often has died
LOOK_SECONDS = 0.05  # between looks at a lock
PATIENCE = 100  # looks, after which the user is told
ATTEMPTS = 10  # to register, while others remove empty folders
NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}  # what file systems without links answer
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # the same in all containers of a machine


class Sight(NamedTuple):
    """Of a run elsewhere."""

    touched: int  # its file, in ns of the file system's clock
    beats: int  # ours, when that was first seen
    moved: bool  # has it been touched since we first saw it?


class Member:
    """This run among those that write to `folder`; it has an ID from `join` to `leave`. Everything raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.id = ""
        self._folder = folder
        self._home = folder / FOLDER
        self._file: BinaryIO | None = None
        self._left = threading.Event()
        self._beats = 0
        self._seen: dict[str, Sight] = {}

    def join(self) -> None:
        """Become visible to other runs, unless this one is; remove what is left where no other is alive."""
        if self.id:
            return
        self._register()
        try:
            self._clear_if_alone()
        except OSError as error:
            self._unregister()
            if error.errno not in NO_LINKS:
                raise
            log.warning("%s: runs at the same time can't share their work, without symbolic links there", self._folder)

    def leave(self, seconds: float = math.inf) -> None:
        """Leave to others what this run holds. Where there are none, remove what is left, as far as the time allows."""
        with suppress(OSError):  # the folder has been deleted
            if self.id:
                self._clear_if_alone(seconds)
        self._unregister()
        with suppress(OSError):  # others are there
            (self._home / RUNS).rmdir()
            self._home.rmdir()

    def others(self) -> list[str]:
        """The IDs of other runs that are, or may be, alive."""
        runs = (self._home / RUNS).iterdir() if self.id else ()
        return [run.name for run in runs if self.is_other(run.name)]

    def is_other(self, run: str) -> bool:
        """Is this another run, and alive? One elsewhere is taken to be, until it has been silent for long."""
        if run == self.id:
            return False
        try:
            with (self._home / RUNS / run).open("rb+") as file:  # NFS asks the server about a file that is opened
                here = file.readline().decode().strip() == place(self._home)
                if here and (dead := lock(file, wait=False)) is not None:
                    return not dead
                touched = os.fstat(file.fileno()).st_mtime_ns
        except FileNotFoundError:
            return False
        seen = self._seen.get(run)
        if seen is None or seen.touched != touched:
            seen = self._seen[run] = Sight(touched, self._beats, moved=seen is not None)
        return self._beats - seen.beats < MISSED_BEATS

    def wait_until_known(self) -> None:
        """Wait until it is known of all other runs whether they are alive: a minute at most."""
        while any(not self._seen[run].moved for run in self.others() if run in self._seen):
            time.sleep(BEAT_SECONDS / 5)

    def describe(self, run: str) -> str:
        """Where a run is, for people."""
        try:
            _, host, process = (self._home / RUNS / run).read_text().splitlines()
        except (OSError, ValueError):
            return "a run that has ended"
        return f"process {process} on {host}"

    @contextmanager
    def lock(self) -> Iterator[Path | None]:
        """Only one run at a time is in such a block, and has this link; one without an ID waits for nobody."""
        link = None
        for look in count():
            if not self.id or (link := self.take(LOCK)):
                break
            if look == PATIENCE:
                holder = self.describe(self.end(LOCK)[1])
                log.warning("%s: waiting for %s, which is merging what it stored", self._folder, holder)
            time.sleep(LOOK_SECONDS)
        try:
            yield link
        finally:
            if link:
                link.unlink(missing_ok=True)

    def take(self, what: str) -> Path | None:
        """Hold something, unless another run does; returns the link that says so."""
        link = self._home / what
        while True:
            try:
                os.symlink(self.id, link)
            except FileExistsError:
                link, text = self.end(what)
                if text:
                    return link if text == self.id else None
            else:
                if self.end(what)[0] == link:
                    return link
                link.unlink()  # those before it have just been removed
                link = self._home / what

    def end(self, what: str) -> tuple[Path, str]:
        """The last link of something, and what it says: an ID and perhaps what became of it; nothing if it is free."""
        link = self._home / what
        while text := _target(link):
            run, _, became = text.partition(" ")
            following = _following(link, run)
            if became or (not _target(following) and (run == self.id or self.is_other(run))):
                return link, text
            link = following
        return link, ""

    def settle(self, link: Path, became: str) -> None:
        """Say what became of what this run holds; that stays when the run has ended."""
        os.symlink(f"{self.id} {became}", _following(link, self.id))

    def _register(self) -> None:
        run, runs = secrets.token_hex(4), self._home / RUNS
        for attempt in count(1):
            try:
                runs.mkdir(parents=True, exist_ok=True)
                self._file = (runs / run).open("xb", buffering=0)
                break
            except FileNotFoundError:
                if attempt == ATTEMPTS:
                    raise
        assert self._file
        lock(self._file)
        self._file.write("\n".join((place(self._home), socket.gethostname(), str(os.getpid()))).encode())
        self.id, self._left = run, threading.Event()
        threading.Thread(target=self._beat, args=(runs / run, self._left), daemon=True).start()

    def _beat(self, file: Path, left: threading.Event) -> None:
        while not left.wait(BEAT_SECONDS):
            with suppress(OSError):
                os.utime(file)
                self._beats += 1

    def _unregister(self) -> None:
        if self._file:
            self._left.set()
            with suppress(FileNotFoundError):
                (self._home / RUNS / self.id).unlink()
            self._file.close()
            self.id, self._file = "", None

    def _clear_if_alone(self, seconds: float = math.inf) -> None:
        end = time.monotonic() + seconds
        with self.lock() as held:
            if self.others():
                return
            for each in self._home.iterdir():
                if time.monotonic() > end:
                    return
                if each.is_symlink() and each != held:
                    each.unlink()
            for run in (self._home / RUNS).iterdir():
                if run.name != self.id and not self.is_other(run.name):  # it may have come this moment
                    run.unlink()


def _target(link: Path) -> str:
    """Empty where there is no such link."""
    with suppress(FileNotFoundError):
        return os.readlink(link)
    return ""


def _following(link: Path, run: str) -> Path:
    return link.with_name(f"{link.name}.{run}")


def member(folder: Path) -> Member:
    """The one of this process."""
    return _members.setdefault(folder.absolute(), Member(folder.absolute()))


_members: dict[Path, Member] = {}


def place(folder: Path) -> str:
    """What processes have in common if locks work between them on any file system: the machine, and the mount."""
    machine = BOOT_ID.read_text().strip() if BOOT_ID.exists() else socket.gethostname()
    return f"{machine} {folder.stat().st_dev}"
