"""Zip and tar files, open: their members are listed once, and read one at a time."""

from __future__ import annotations

import atexit
import lzma
import os
import stat
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Protocol

from ecgscreen.readers.archive_listing import Contents, Listing, check_unpacked, too_large
from ecgscreen.readers.compressed_tar import COMPRESSED, unpack_tar
from ecgscreen.readers.files import InsideFile
from ecgscreen.recording import RecordingError, SkipReason

MAX_DIRECTORY_BYTES = 1 << 24
"""Of a zip's table of contents, which the standard library reads whole."""

_CHUNK = 1 << 20
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    LookupError,
    OverflowError,
    ValueError,
    struct.error,
    NotImplementedError,
    RuntimeError,
)
"""What the standard library raises on content that it does not expect."""


class OpenedArchive(Protocol):
    """An archive of either kind."""

    contents: Contents

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open one of the plain files of `contents`, at its beginning."""
        ...

    def close(self) -> None:
        """Close the archive itself."""
        ...


@contextmanager
def understood() -> Iterator[None]:
    """Make a `RecordingError`, BAD_CONTENT, of what the body raises on a damaged archive."""
    try:
        yield
    except _BROKEN as error:
        raise RecordingError(
            SkipReason.BAD_CONTENT, f"the archive is damaged ({type(error).__name__})"
        ) from error


class _Kept(threading.local):
    """The archive that a thread opened last, since its recordings follow one another."""

    key: tuple[int, ...] = ()
    opened: OpenedArchive | None = None


_kept = _Kept()


def open_archive(archive: Path, root: Path) -> OpenedArchive:
    """Open and list an archive; it stays open for its next recordings, until another is opened.

    Raises
    ------
    RecordingError
        TOO_LARGE beyond the caps, BAD_CONTENT or UNSUPPORTED; as `InsideFile`.
    OSError
        If it cannot be opened or read.
    """
    with InsideFile(str(archive), root) as file:
        status = os.fstat(file.descriptor)
        key = (os.getpid(), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if _kept.opened is not None and _kept.key == key:
            return _kept.opened
        close_last()
        source = os.fdopen(os.dup(file.descriptor), "rb")
        try:
            with understood():
                kind = _Zip if archive.suffix.casefold() == ".zip" else _Tar
                opened: OpenedArchive = kind(source, status.st_size, archive.suffix.casefold())
        except BaseException:
            source.close()
            raise
    _kept.key, _kept.opened = key, opened
    return opened


def close_last() -> None:
    """Close the archive that this thread keeps open."""
    opened, _kept.opened = _kept.opened, None
    if opened is not None:
        with suppress(OSError):
            opened.close()


atexit.register(close_last)


class _Zip:
    def __init__(self, source: BufferedReader, size: int, _suffix: str) -> None:
        n_bytes = _zip_directory_bytes(source, size)
        if n_bytes > MAX_DIRECTORY_BYTES:
            raise too_large(f"a table of contents of {n_bytes} bytes", MAX_DIRECTORY_BYTES)
        self._source = source
        self._zip = zipfile.ZipFile(source)
        self._names: dict[str, str] = {}
        listing = Listing(size)
        for info in self._zip.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                continue
            why = ""
            if info.flag_bits & 0x1:
                why = "with a password"
            elif kind not in (0, stat.S_IFREG):
                why = "that are no plain files"
            listing.add(info.filename, info.file_size, why)
            if info.filename.startswith("./"):
                self._names[info.filename.removeprefix("./")] = info.filename
        self.contents = listing.contents()

    def open(self, name: str) -> IO[bytes]:
        return self._zip.open(self._names.get(name, name))

    def close(self) -> None:
        self._zip.close()
        self._source.close()


class _Tar:
    def __init__(self, source: BufferedReader, size: int, suffix: str) -> None:
        self._file: IO[bytes] = source
        if suffix in COMPRESSED:
            self._file = unpack_tar(source, suffix, partial(check_unpacked, size))
            source.close()
        self._places: dict[str, int] = {}
        listing = Listing(size)
        careful: Any = _Careful(self._file)
        try:
            with tarfile.open(fileobj=careful, mode="r:") as tar:
                while (info := tar.next()) is not None:
                    tar.members = []  # type: ignore[attr-defined] # it would keep every one
                    if info.isdir():
                        continue
                    is_plain = info.isreg() and not info.issparse()
                    listing.add(info.name, info.size, "" if is_plain else "that are no plain files")
                    self._places[info.name.removeprefix("./")] = info.offset_data
        except BaseException:
            self._file.close()
            raise
        self.contents = listing.contents()

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        self._file.seek(self._places[name])
        return nullcontext(self._file)

    def close(self) -> None:
        self._file.close()


class _Careful:
    """A file of which no more is read at once than any header of a tar takes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, n_bytes: int) -> bytes:
        if n_bytes > _CHUNK:
            raise RecordingError(SkipReason.TOO_LARGE, f"a tar header of {n_bytes} bytes")
        return self._file.read(n_bytes)


def _zip_directory_bytes(source: BufferedReader, size: int) -> int:
    """Size of a zip's table of contents as its end record says (APPNOTE 4.3.16, 4.3.14)."""
    tail_bytes = min(size, 22 + 65_535 + 20)
    source.seek(size - tail_bytes)
    tail = source.read(tail_bytes)
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) < end + 22:
        raise zipfile.BadZipFile
    n_bytes = int.from_bytes(tail[end + 12 : end + 16], "little")
    locator = tail[end - 20 : end] if end >= 20 else b""
    if locator[:4] == b"PK\6\7":
        source.seek(int.from_bytes(locator[8:16], "little"))
        record = source.read(56)
        if record[:4] == b"PK\6\6":
            n_bytes = int.from_bytes(record[40:48], "little")
    source.seek(0)
    return n_bytes
