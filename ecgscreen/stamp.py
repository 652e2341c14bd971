"""What tells that a recording's files changed, without reading them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import NamedTuple

DIGEST_BYTES = 16
"""128 bits: of 2,000,000 recordings, two agree by chance with a probability of 1e-26."""

NOT_THERE = -1
"""The size of a file that was looked for in vain."""


class FileStamp(NamedTuple):
    """A file that a recording consists of, as it was when it was looked at."""

    name: str
    """Relative to the folder given to the scan."""
    size: int
    """In bytes; `NOT_THERE` for a file that a header names and that is not there."""
    mtime_ns: int
    """When it was last written, by the file system's clock, which may go backwards: two
    stamps are the same or not, never older or younger."""
    listed: bool = True
    """Whether the walk sees that the file belongs to the recording; else reading told it."""


def stamp_of(path: str, name: str, *, listed: bool = True) -> FileStamp:
    """Look at a file, through symbolic links.

    Parameters
    ----------
    path
        Where it is; nothing is opened. A file that is not there has a stamp too.
    name
        What the stamp calls it.
    listed
        See `FileStamp`.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - building a Path takes longer than the call
    except (OSError, ValueError):
        return FileStamp(name, NOT_THERE, 0, listed)
    return FileStamp(name, status.st_size, status.st_mtime_ns, listed)


def stamp_digest(files: Iterable[FileStamp]) -> bytes:
    """Return `DIGEST_BYTES` that are the same for the same names, sizes and times."""
    text = "".join([f"{name}\0{size}\0{mtime_ns}\n" for name, size, mtime_ns, _ in files])
    content = text.encode("utf-8", "surrogateescape")
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def path_key(path: str) -> bytes:
    """Return `DIGEST_BYTES` that stand for a recording's path: the first of its SHA-256.

    Their first half is `ecgscreen.results.record_id_of`.
    """
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()[:DIGEST_BYTES]
