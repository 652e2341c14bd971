"""Opening files that somebody else wrote: regular files inside the folder, nothing else.

Where the folder given is a prefix of object storage, its objects are files; see
`ecgscreen.objects`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Self, TypeVar

from ecgscreen.objects.address import is_object
from ecgscreen.objects.held import HeldObject, object_at
from ecgscreen.readers.opened import MAX_HASHED_BYTES, noted
from ecgscreen.recording import RecordingError, SkipReason

_T = TypeVar("_T")
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class InsideFile:
    """A regular file that lies inside a folder, open for reading; a context manager.

    Symbolic links are followed as long as what is opened lies inside the folder. Anything but
    a regular file is refused before it is opened (a FIFO would block, a device may react), and
    again on the open descriptor, so that exchanging the file in between gains nothing.

    Parameters
    ----------
    path
        The file, as a string: building a `Path` of it takes longer than opening it.
    root
        The folder given to the scan.

    Attributes
    ----------
    size
        In bytes, when it was opened.

    Raises
    ------
    RecordingError
        NOT_A_FILE or OUTSIDE_FOLDER.
    OSError
        If the file cannot be opened.
    """

    __slots__ = ("_descriptor", "_noted", "_object", "_path", "size")

    def __init__(self, path: str, root: Path) -> None:
        self._noted = noted()
        if self._noted is not None:
            self._noted.tried(path)
        self._path = path
        self._object: HeldObject | None = None
        if is_object(path):
            self._descriptor = -1
            self._open_object(root)
            return
        try:
            mode = os.lstat(path).st_mode
            target = ""
            if stat.S_ISLNK(mode):
                mode = Path(path).stat().st_mode
                target = str(Path(path).resolve())
        except (ValueError, RuntimeError) as error:  # RuntimeError: links, made a loop just now
            raise RecordingError(SkipReason.NOT_A_FILE, "the name cannot be a file's") from error
        if not stat.S_ISREG(mode):
            raise _not_regular(mode)
        if target and not _lies_inside(target, str(root)):
            raise _outside()  # without opening it
        self._descriptor = os.open(path, _OPEN_FLAGS)
        try:
            status = os.fstat(self._descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _not_regular(status.st_mode)
            if not _lies_inside(_real_path(self._descriptor, path), str(root)):
                raise _outside()
        except BaseException:
            os.close(self._descriptor)
            raise
        self.size = status.st_size
        if self._noted is not None:
            self._noted.opened(path, status.st_size, status.st_mtime_ns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        try:
            if (
                self._noted is not None
                and kind is None
                and self._noted.wants(self._path)
                # An object that is too large to be hashed is not fetched for that.
                and (self._object is None or self.size <= MAX_HASHED_BYTES)
            ):
                self._noted.closed(self._path, self.descriptor)
        finally:
            if self._object is None:
                os.close(self._descriptor)

    @property
    def descriptor(self) -> int:
        """Of the open file; closed at the end of the context. An object is fetched for it."""
        return self._descriptor if self._object is None else self._fetched(self._object.open)

    def read(self, n_bytes: int, offset: int = 0) -> bytes:
        """Read a range; the caller has checked it against `size`.

        Parameters
        ----------
        n_bytes
            Length of the range.
        offset
            Start of the range.

        Raises
        ------
        RecordingError
            TRUNCATED if the file ends before.
        """
        if self._object is None:
            content = os.pread(self._descriptor, n_bytes, offset)
        else:
            content = self._read_object(self._object, n_bytes, offset)
        if len(content) == n_bytes:
            if self._noted is not None and n_bytes == self.size:
                self._noted.read(self._path, content)
            return content
        # One call returns at most 2 GiB, and less where a network drive says so.
        parts = [content]
        n_read = len(content)
        while n_read < n_bytes and parts[-1]:
            parts.append(os.pread(self.descriptor, n_bytes - n_read, offset + n_read))
            n_read += len(parts[-1])
        if n_read < n_bytes:
            raise RecordingError(
                SkipReason.TRUNCATED, f"{n_read} bytes after byte {offset}, expected {n_bytes}"
            )
        return b"".join(parts)

    def _open_object(self, root: Path) -> None:
        self._object = self._fetched(lambda: object_at(self._path, root))
        self.size = self._object.size
        if self._noted is not None:
            self._noted.opened(self._path, self.size, self._object.mtime_ns)

    def _read_object(self, held: HeldObject, n_bytes: int, offset: int) -> bytes:
        if self._noted is not None and held.is_large and self.size <= MAX_HASHED_BYTES:
            self._fetched(held.open)  # all of it, since it will be hashed
        return self._fetched(lambda: held.read(n_bytes, offset))

    def _fetched(self, fetch: Callable[[], _T]) -> _T:
        try:
            return fetch()
        except (OSError, RecordingError):
            if self._noted is not None:
                self._noted.not_read(self._path)
            raise


def _outside() -> RecordingError:
    return RecordingError(
        SkipReason.OUTSIDE_FOLDER, "a symbolic link leads out of the folder given"
    )


def _not_regular(mode: int) -> RecordingError:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    kind = kinds.get(stat.S_IFMT(mode), "of unknown kind")
    return RecordingError(SkipReason.NOT_A_FILE, f"it is {kind}, expected a regular file")


def _real_path(descriptor: int, path: str) -> str:
    try:
        # What was opened, whichever links led there: unlike resolving the path it cannot be
        # outrun by exchanging a link, and it is one system call instead of one a folder.
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - 5 us of 80 a record
    except FileNotFoundError:  # no /proc
        return str(Path(path).resolve())


def _lies_inside(real_path: str, root: str) -> bool:
    working_directory = "" if root.startswith("/") else str(Path.cwd())
    if real_path.startswith(_resolved_prefix(root, working_directory)):
        return True
    # The folder given may be a link that was changed since it was resolved.
    _resolved_prefix.cache_clear()
    return real_path.startswith(_resolved_prefix(root, working_directory))


@lru_cache(maxsize=64)
def _resolved_prefix(root: str, working_directory: str) -> str:
    resolved = str(Path(working_directory, root).resolve())
    return resolved if resolved.endswith("/") else resolved + "/"
