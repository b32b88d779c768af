"""Locks of files, where the file system has them; Lustre, say, may be mounted without."""

from __future__ import annotations

import errno
import fcntl
from typing import BinaryIO

NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}


def lock(file: int | BinaryIO, wait: bool = True) -> bool | None:
    """Lock a file until it is closed or its process ends: False if another has it, None where there are no locks.

    It must be open for writing, for NFS. Raises OSError.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    return True
