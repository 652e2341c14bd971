"""One run at a time on a screening: a lock that ends with the process that holds it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ecgscreen.errors import LockedError
from ecgscreen.publish import storing

LOCK = "lock"
"""The file in the screening's folder. It stays; what counts is the kernel's lock on it."""

_SECONDS_BETWEEN_TRIES = 0.2
_MAX_BYTES = 1_000


@contextmanager
def locked(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a screening's folder, so that no other run writes there.

    The kernel gives the lock back when the process ends, however it ends. Processes that are
    started meanwhile do not inherit it.

    Parameters
    ----------
    folder
        Of the screening; exists.
    wait_s
        How long to wait for another run to end, in seconds.

    Raises
    ------
    LockedError
        If another run holds the folder for longer; names its process.
    StoreError
        If the folder cannot be written, or its file system has no locks.
    """
    path = folder / LOCK
    with storing(path):
        # Python opens with close-on-exec (PEP 446).
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _take(descriptor, path, wait_s)
        with suppress(OSError):  # a full disk: the lock is held all the same
            _write(descriptor, {"pid": os.getpid(), "since_utc": _now()})
        yield
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder_of(folder: Path) -> str:
    """Say which process holds a screening's folder; empty if none does.

    Raises
    ------
    StoreError
        If the lock cannot be looked at.
    """
    path = folder / LOCK
    if not path.exists():
        return ""
    with storing(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # never waits
    try:
        with storing(path):
            if _try(descriptor, fcntl.LOCK_SH):
                return ""
        return _holder(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, wait_s: float) -> None:
    # Somebody who only asks who holds it (`holder_of`) has it for an instant.
    deadline = time.monotonic() + max(wait_s, _SECONDS_BETWEEN_TRIES)
    while True:
        with storing(path):
            if _try(descriptor, fcntl.LOCK_EX):
                return
        left = deadline - time.monotonic()
        if left <= 0:
            raise LockedError(
                f"{path.parent}: held by another run, {_holder(descriptor)}",
                "Wait until it has ended, or let this one wait with --wait-lock SECONDS.",
            )
        time.sleep(min(left, _SECONDS_BETWEEN_TRIES))


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        raise
    return True


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, _MAX_BYTES, 0))
        return f"process {int(holder['pid'])}, since {datetime.fromisoformat(holder['since_utc'])}"
    except (ValueError, KeyError, TypeError):  # it has only just begun, or is of another version
        return "a process that has not said its number"


def _write(descriptor: int, holder: dict[str, int | str]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
