"""What a recording was read from: the files that its reader opened, and the hash of them.

Only reading tells all files of a recording: a header may name signal files of any name, a record
with segments has headers of its own. `InsideFile` is the one door to a file, and notes here what
goes through it, as long as somebody asks (`noting`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from ecgscreen.stamp import NOT_THERE, FileStamp, stamp_of

MAX_HASHED_BYTES = 1 << 30
"""Of those files of a recording that are not read whole. Above, the hash alone would take seconds;
a day of twelve leads at 250 Hz is half of it."""

_CHUNK_BYTES = 1 << 20


class OpenedFiles:
    """The files that were opened, in the order of their first opening, and their hashes.

    A file is noted before it is opened: one that is not there belongs to the recording too, since
    its arrival changes it.
    """

    __slots__ = ("_hashes", "_n_to_hash", "_not_read", "_stamps")

    def __init__(self) -> None:
        self._stamps: dict[str, tuple[int, int]] = {}
        self._not_read: set[str] = set()
        self._hashes: dict[str, str] = {}
        self._n_to_hash = 0

    def tried(self, path: str) -> None:
        """Note a file that is about to be opened."""
        self._stamps.setdefault(path, (NOT_THERE, 0))

    def opened(self, path: str, size: int, mtime_ns: int) -> None:
        """Note what an open file is like."""
        self._stamps[path] = (size, mtime_ns)

    def not_read(self, path: str) -> None:
        """Note that a file could not be had for now: its stamp is none, so that it is new again."""
        self._stamps[path] = (NOT_THERE, 0)
        self._not_read.add(path)

    def wants(self, path: str) -> bool:
        """Whether the file's content has not been hashed yet."""
        return path not in self._hashes

    def read(self, path: str, content: bytes) -> None:
        """Note the whole content of a file."""
        self._hashes[path] = hashlib.sha256(content).hexdigest()

    def closed(self, path: str, descriptor: int) -> None:
        """Hash an open file of which not all was read in one piece."""
        status = os.fstat(descriptor)
        self._n_to_hash += status.st_size
        if self._n_to_hash <= MAX_HASHED_BYTES:
            self._hashes[path] = _hash_of(descriptor, status)

    def stamps(self, listed: tuple[FileStamp, ...], root: Path) -> tuple[FileStamp, ...]:
        """Return what the walk listed, and behind it what else was opened.

        Parameters
        ----------
        listed
            `ecgscreen.found.Found.files`.
        root
            The folder given to the scan; names are relative to it.
        """
        prefix = f"{root}/"
        if not self._not_read and self._stamps.keys() <= {prefix + file.name for file in listed}:
            return listed  # as nearly always
        if self._not_read:
            missing = {_relative(path, prefix) for path in self._not_read}
            listed = tuple(
                file._replace(size=NOT_THERE, mtime_ns=0) if file.name in missing else file
                for file in listed
            )
        names = {file.name for file in listed}
        others = []
        for path, stamp in self._stamps.items():
            if (name := _relative(path, prefix)) in names:
                continue
            if stamp[0] == NOT_THERE:  # or there, and refused: a pipe, a link that leads out
                others.append(stamp_of(path, name, listed=False))
            else:
                others.append(FileStamp(name, *stamp, listed=False))
        return (*listed, *others) if others else listed

    @property
    def sha256(self) -> str:
        r"""SHA-256 of the content, hexadecimal; empty if the files are too large to be hashed.

        It is the hash of a line a file, ``SHA-256  name\n`` with the name without its folder,
        in the order of the names: what ``sha256sum a.dat a.hea | sha256sum`` prints.
        """
        if not self._hashes or len(self._hashes) < len(self._stamps):
            return ""
        lines = sorted([(path.rpartition("/")[2], digest) for path, digest in self._hashes.items()])
        text = "".join([f"{digest}  {name}\n" for name, digest in lines])
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


_noting: ContextVar[OpenedFiles | None] = ContextVar("opened files", default=None)
_last_hash: tuple[tuple[int, ...], str] = ((), "")


class noting:  # noqa: N801 - used like a function; a generator would take thrice as long
    """Note what is opened in the body, by this thread; gives the `OpenedFiles`."""

    __slots__ = ("_token",)

    def __enter__(self) -> OpenedFiles:
        opened = OpenedFiles()
        self._token = _noting.set(opened)
        return opened

    def __exit__(self, *_exception: object) -> None:
        _noting.reset(self._token)


@contextmanager
def not_noting() -> Iterator[None]:
    """Note nothing in the body: files that are gone with it."""
    token = _noting.set(None)
    try:
        yield
    finally:
        _noting.reset(token)


def noted() -> OpenedFiles | None:
    """Return where to note what is opened; None while nobody asks."""
    return _noting.get()


def _hash_of(descriptor: int, status: os.stat_result) -> str:
    # Of a file that holds many recordings each one would hash the whole.
    global _last_hash  # noqa: PLW0603 - one entry, for the file before
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if _last_hash[0] != key:
        digest = hashlib.sha256()
        offset = 0
        while chunk := os.pread(descriptor, _CHUNK_BYTES, offset):
            digest.update(chunk)
            offset += len(chunk)
        _last_hash = (key, digest.hexdigest())
    return _last_hash[1]


def _relative(path: str, prefix: str) -> str:
    return path[len(prefix) :] if path.startswith(prefix) else os.path.relpath(path, prefix)
