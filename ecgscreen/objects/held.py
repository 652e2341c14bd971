"""The objects of a recording while it is read: fetched when they are asked for, or ahead.

A small object is fetched whole, and held in memory; of a large one what is asked for, or all of it
into a file without a name, which is gone with the process. Whatever happens to a scan, no folder
has a patient's file in it that was not there before.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from contextvars import ContextVar, Token
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ecgscreen.objects.address import is_object
from ecgscreen.recording import RecordingError, SkipReason
from ecgscreen.stamp import NOT_THERE, FileStamp

if TYPE_CHECKING:
    from ecgscreen.objects.store import Entry, Range

WHOLE_BYTES = 1 << 22
"""An object up to this size is fetched at once and held in memory: five minutes of twelve leads at
500 Hz."""
AHEAD_BYTES = 1 << 20
"""A recording whose objects are not larger, all together, is fetched before its turn."""

_CHUNK_BYTES = 1 << 23


class HeldObject:
    """An object, and what was fetched of it.

    Attributes
    ----------
    size
        In bytes, as it was listed or asked for.
    mtime_ns
        See `ecgscreen.objects.store`.
    was_refused
        Whether it, or a part of it, could not be fetched.
    """

    def __init__(self, path: str, size: int, mtime_ns: int, whole_bytes: int) -> None:
        self.size, self.mtime_ns = size, mtime_ns
        self.was_refused = False
        self._path = path
        self._whole_bytes = whole_bytes
        self._beginning: Range | None = None
        self._content = b""
        self._descriptor = -1

    @property
    def is_large(self) -> bool:
        """Whether it is not held in memory."""
        return self.size > self._whole_bytes

    def start(self, n_bytes: int) -> None:
        """Begin to fetch its beginning."""
        if self._beginning is None:
            self._beginning = self._part(0, min(n_bytes, self.size))

    def read(self, n_bytes: int, offset: int) -> bytes:
        """Give a part of it, shorter if it ends before.

        Raises
        ------
        RecordingError
            READ_ERROR if it is another one than was listed.
        OSError
            If it cannot be fetched.
        """
        if self._descriptor >= 0 and not self._content:
            return os.pread(self._descriptor, n_bytes, offset)
        stop = min(offset + n_bytes, self.size)
        if not self.is_large:
            self.start(self.size)
        if self._beginning is not None and stop <= self._beginning.stop:
            return self._fetched()[offset:stop]
        return self._checked(self._part(offset, max(offset, stop)))

    def open(self) -> int:
        """Give a descriptor of the whole, in memory or of a file without a name.

        Raises
        ------
        RecordingError, OSError
            As `read`.
        """
        if self._descriptor >= 0:
            return self._descriptor
        if not self.is_large:
            content = self.read(self.size, 0)
            descriptor = os.memfd_create("object", os.MFD_CLOEXEC)
            _write(descriptor, content)
        else:
            with tempfile.TemporaryFile() as file:
                for offset in range(0, self.size, _CHUNK_BYTES):
                    stop = min(offset + _CHUNK_BYTES, self.size)
                    _write(file.fileno(), self._checked(self._part(offset, stop)))
                descriptor = os.dup(file.fileno())
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    def _part(self, start: int, stop: int) -> Range:
        from ecgscreen.objects.store import Range  # what is on this machine needs none of it

        return Range(self._path, start, stop)

    def _fetched(self) -> bytes:
        if self._beginning is not None and not self._content:
            self._content = self._checked(self._beginning)
        return self._content

    def _checked(self, part: Range) -> bytes:
        try:
            content = part.content()
        except OSError:
            self.was_refused = True
            raise
        if len(content) != part.stop - part.start:
            self.was_refused = True
            raise RecordingError(
                SkipReason.READ_ERROR,
                f"{len(content)} bytes came of the object, {part.stop - part.start} were listed",
            )
        return content

    def cancel(self) -> None:
        """Give up what is under way."""
        if self._beginning is not None:
            self._beginning.cancel()


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


class HeldObjects:
    """What is known and fetched of the objects of a recording, or of a folder of them.

    Used as a context manager: in its body, `held` finds what it holds. It travels to another
    process without what was fetched.

    Parameters
    ----------
    root
        The path that stands for the prefix which the user named.
    stamps
        Of objects, by their names below the root. Of others the store is asked.
    listing
        The stamps of a whole folder: what it does not name is not there. Its name below the
        root, empty or ending in a slash; and its stamps by their names in it.
    whole_bytes
        See `WHOLE_BYTES`.
    """

    def __init__(
        self,
        root: Path,
        stamps: tuple[FileStamp, ...] = (),
        listing: tuple[str, dict[str, FileStamp]] | None = None,
        whole_bytes: int = WHOLE_BYTES,
    ) -> None:
        self._root = f"{root}/"
        self._stamps = stamps
        self._listing = listing
        self._whole_bytes = whole_bytes
        self._held: dict[str, HeldObject] = {}
        self._tokens: list[Token[HeldObjects | None]] = []

    def __reduce__(self) -> tuple[type[Self], tuple[Path, tuple[FileStamp, ...]]]:
        return type(self), (Path(self._root), self._stamps)

    def __enter__(self) -> Self:
        self._tokens.append(_current.set(self))
        return self

    def __exit__(self, *_exception: object) -> None:
        _current.reset(self._tokens.pop())

    def fetch_ahead(self) -> None:
        """Begin to fetch the objects that are listed, unless they are large."""
        if sum(stamp.size for stamp in self._stamps) <= AHEAD_BYTES:
            for stamp in self._stamps:
                self.start(stamp.name)

    def start(self, name: str, n_bytes: int = WHOLE_BYTES) -> None:
        """Begin to fetch the beginning of an object that is listed, by its name below the root."""
        stamp = self._known(name)
        if stamp is not None and stamp.size > 0:
            self._hold(f"{self._root}{name}", stamp.size, stamp.mtime_ns).start(n_bytes)

    def object_at(self, path: str) -> HeldObject:
        """Give an object.

        Raises
        ------
        RecordingError
            NOT_A_FILE if it is a folder of objects.
        NotADirectoryError
            If its folder is an object.
        OSError
            If there is none, or the store does not say.
        """
        if path in self._held:
            return self._held[path]
        stamp = self._known(path.removeprefix(self._root))
        if stamp is None:
            folder = self._known(path.rpartition("/")[0].removeprefix(self._root))
            if folder is not None and folder.size != NOT_THERE:
                raise NotADirectoryError
            entry = _look_at(path)
            if entry.is_folder:
                raise RecordingError(SkipReason.NOT_A_FILE, "it is a folder, expected an object")
            return self._hold(path, entry.size, entry.mtime_ns)
        if stamp.size == NOT_THERE:
            raise FileNotFoundError
        return self._hold(path, stamp.size, stamp.mtime_ns)

    def stamp(self, name: str) -> FileStamp:
        """Say what an object is like that the walk did not list as one of the recording's.

        Parameters
        ----------
        name
            Below the root.
        """
        stamp = self._known(name)
        if stamp is None:
            try:
                entry = _look_at(f"{self._root}{name}")
            except OSError:  # nobody says what it is like: reading tells, if it is there
                return FileStamp(name, NOT_THERE, 0, listed=False)
            stamp = FileStamp(name, entry.size, entry.mtime_ns)
        return stamp._replace(listed=False)

    def release(self) -> None:
        """Let go what was fetched."""
        for each in self._held.values():
            each.cancel()
        self._held.clear()

    def drop(self, name: str) -> bool:
        """Let go what was fetched of one, by its name below the root; tell `was_refused`."""
        dropped = self._held.pop(f"{self._root}{name}", None)
        return dropped is not None and dropped.was_refused

    def _known(self, name: str) -> FileStamp | None:
        if self._listing is not None:
            folder, stamps = self._listing
            base = name.removeprefix(folder)
            if name.startswith(folder) and "/" not in base:
                return stamps.get(base, FileStamp(name, NOT_THERE, 0))
        return next((stamp for stamp in self._stamps if stamp.name == name), None)

    def _hold(self, path: str, size: int, mtime_ns: int) -> HeldObject:
        if path not in self._held:
            self._held[path] = HeldObject(path, size, mtime_ns, self._whole_bytes)
        return self._held[path]


def _look_at(path: str) -> Entry:
    from ecgscreen.objects.store import look_at

    return look_at(path)


_current: ContextVar[HeldObjects | None] = ContextVar("objects of a recording", default=None)


def holding() -> HeldObjects | None:
    """Return what is held here; None while nobody does."""
    return _current.get()


def object_at(path: str, root: Path) -> HeldObject:
    """Give an object below a prefix, from what is held here if that has it.

    Raises
    ------
    RecordingError
        OUTSIDE_FOLDER unless the prefix is one that a user named, and the object lies below it.
    RecordingError, OSError
        As `HeldObjects.object_at`.
    """
    if not is_object(root) or not path.startswith(f"{root}/") or ".." in path.split("/"):
        raise RecordingError(SkipReason.OUTSIDE_FOLDER, "it leads out of the prefix given")
    return (_current.get() or HeldObjects(root)).object_at(path)
