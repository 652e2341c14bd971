"""Reading a file that may be none: a pipe never ends, and a device has no length."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_regular(path: Path, limit: int) -> bytes:
    """Read a regular file, at most `limit` bytes of it; symbolic links are followed.

    Parameters
    ----------
    path
        The file.
    limit
        In bytes. Memory is taken for what the file has, not for the limit.

    Raises
    ------
    OSError
        If it cannot be read, or is no regular file (EINVAL; opening it does not wait then).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(max(0, min(limit, status.st_size + 1)))
    finally:
        os.close(descriptor)
