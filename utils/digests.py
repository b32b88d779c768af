"""Digests of files."""

from __future__ import annotations

import errno
import hashlib
import zipfile
import zlib
from pathlib import Path

from torch_zoo.utils.types import UsageError

ENDS_BYTES = 64 << 10


class Unknown(str):
    """The fingerprint of a file that is not there yet: it may turn out to be equal to any other."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def digest(content: bytes) -> str:
    """Hex digest, 128 bits of BLAKE2b."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_of_ends(path: Path) -> str:
    """The same of the first and last 64 KiB of a file: cheap, and enough to tell media of one size apart.

    Raises OSError, also for a pipe: opening it could wait forever, and what is read from it is gone.
    """
    if not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        first = file.read(ENDS_BYTES)
        file.seek(max(len(first), path.stat().st_size - ENDS_BYTES))
        return digest(first + file.read(ENDS_BYTES))


def git_blob(path: Path) -> str:
    """What `git hash-object` prints for a file."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(path: Path, digest: str = "") -> str:
    """Equal for files of equal content; of a zip file, as torch writes them, by the checksums of its members.

    `digest` is the SHA-256 of a file that is known to be intact. Else the members are read and checked; raises
    UsageError if one is damaged. Of a file that `downloads.postponed` has left out, it is Unknown.
    """
    if not path.exists():
        return Unknown("not downloaded yet")
    if not zipfile.is_zipfile(path):
        return f"sha256 {digest or sha256(path)}"
    try:
        with zipfile.ZipFile(path) as file:
            damaged = None if digest else file.testzip()
            members = [(member.file_size, member.CRC) for member in file.infolist()]
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise UsageError(f"{path}: damaged zip file ({error}); download or save it again") from error
    if damaged:
        raise UsageError(f"{path}: damaged zip file (wrong checksum of {damaged}); download or save it again")
    return f"members {hashlib.sha256(repr(members).encode()).hexdigest()}"
