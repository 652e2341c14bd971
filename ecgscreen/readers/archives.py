"""Zip and tar archives as folders: what they hold, with caps, and a record's files for its reader.

Nothing is unpacked but the beginnings of files, to tell what they are, and the files of the one
record that is being read; both into a folder that only this user may read (mode 0700) and that is
removed at once. A compressed tar is unpacked once into a file without a name, so that its members
can be found again. Members are never opened by their name in the file system; what is no plain
file, or leads out of the archive by its name, is refused. Archives in archives are not looked at.
"""

from __future__ import annotations

import atexit
import lzma
import os
import re
import stat
import struct
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Protocol

from ecgscreen.readers.compressed_tar import COMPRESSED, unpack_tar
from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.formats import HEAD_BYTES
from ecgscreen.readers.opened import not_noting
from ecgscreen.readers.side_car import SUFFIX as SIDE_CAR_SUFFIX
from ecgscreen.readers.tables import TABLE_SUFFIXES
from ecgscreen.readers.wfdb_files import named_in_header
from ecgscreen.readers.wfdb_header import MAX_HEADER_BYTES
from ecgscreen.recording import RecordingError, SkipReason

MAX_MEMBERS = 100_000
MAX_DIRECTORY_BYTES = 1 << 24
"""Of a zip's table of contents, which the standard library reads whole."""
MAX_MEMBER_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 1 << 36
MAX_RATIO, RATIO_COUNTS_FROM = 100, 1 << 26
"""All members together may be so many times as large as the archive, if larger than the second.
ECGs shrink to a half or a third."""

_TWICE = "whose name stands twice"
_MAX_NAME, _MAX_PART = 1024, 255
_CHUNK = 1 << 20
_HEADER = ".hea"
_WHOLE = frozenset({".hea", ".json", ".h5", ".hdf5"})
"""Told apart by more than their beginnings."""
_SUFFIX = re.compile(r"\.(?:zip|tar(?:\.(?:gz|bz2|xz))?|tgz|tbz2|txz)(?=/|$)", re.IGNORECASE)
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


def is_archive(name: str) -> bool:
    """Whether a file of this name is taken for an archive."""
    match = _SUFFIX.search(name)
    return match is not None and match.end() == len(name)


def archived(path: Path) -> tuple[Path, str] | None:
    """Split the path of a recording in an archive: the archive, and the name in it; else None."""
    text = str(path)
    for match in _SUFFIX.finditer(text):
        archive = text[: match.end()]
        if match.end() < len(text) and os.path.isfile(archive):  # noqa: PTH113 - a string
            return Path(archive), text[match.end() + 1 :]
    return None


@dataclass(frozen=True)
class Contents:
    """What an archive holds.

    Attributes
    ----------
    sizes
        Name -> size in bytes, of the plain files.
    refused
        Why other members are left alone -> how many.
    """

    sizes: dict[str, int]
    refused: Counter[str]

    @property
    def problem(self) -> str:
        """What to say of the members that are refused; empty if there is none."""
        counts = (f"{n} {why}" for why, n in sorted(self.refused.items()))
        text = ", ".join(counts)
        return f"members that are not read: {text}" if text else ""


class _Opened(Protocol):
    contents: Contents

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]: ...

    def close(self) -> None: ...


def contents_of(archive: Path, root: Path) -> Contents:
    """List an archive.

    Raises
    ------
    RecordingError
        TOO_LARGE beyond the caps, BAD_CONTENT or UNSUPPORTED; as `InsideFile`.
    OSError
        If it cannot be opened or read.
    """
    return _open(archive, root).contents


@contextmanager
def skeleton(archive: Path, root: Path) -> Iterator[Path]:
    """Give a folder that looks like the archive to who tells recordings by names and beginnings.

    Headers, side-cars and HDF5 are whole; of other files there is the beginning, and a hole.

    Raises
    ------
    RecordingError, OSError
        As `contents_of`.
    """
    opened = _open(archive, root)
    with _private_folder() as folder:
        for name, size in opened.contents.sizes.items():
            if is_archive(name):
                continue
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            whole = Path(name).suffix.casefold() in _WHOLE and (
                size <= MAX_HEADER_BYTES or not name.casefold().endswith(_HEADER)
            )
            _copy(opened, name, place, size if whole else min(size, HEAD_BYTES))
            os.truncate(place, size)
        yield folder


@contextmanager
def unpacked(archive: Path, name: str, root: Path) -> Iterator[tuple[Path, Path]]:
    """Unpack what one recording consists of; it is removed at the end.

    Parameters
    ----------
    archive, name
        From `archived`.
    root
        The folder given to the scan; the archive has to lie inside.

    Yields
    ------
    What to read in the archive's place, and the folder to which that is confined.

    Raises
    ------
    RecordingError
        VANISHED if the archive has no such member; as `contents_of`.
    OSError
        If it cannot be read or unpacked.
    """
    opened = _open(archive, root)
    member, rest = _member(opened.contents, name)
    base = member.rpartition("/")[0]
    prefix = f"{base}/" if base else ""
    with _private_folder() as folder:
        wanted = [member.removeprefix(prefix)]
        n_bytes = 0
        with not_noting():
            for file in wanted:  # grows with what headers name
                size = opened.contents.sizes.get(prefix + file)
                if size is None or "/" in file or (folder / file).exists():
                    continue
                n_bytes += size
                if n_bytes > 2 * MAX_MEMBER_BYTES:
                    raise RecordingError(
                        SkipReason.TOO_LARGE,
                        f"its files have more than {2 * MAX_MEMBER_BYTES} bytes",
                    )
                _copy(opened, prefix + file, folder / file, size)
                wanted += _others(folder, file)
            inner = folder / wanted[0]
            yield (inner / rest if rest else inner), folder


def _others(folder: Path, file: str) -> list[str]:
    """The files beside one that belong to its recording."""
    suffix = Path(file).suffix.casefold()
    path = f"{folder}/{file}"
    if suffix == _HEADER:
        named = named_in_header(path, folder)  # signal files, or segments without their suffix
        return sorted({*named, *(f"{name}{_HEADER}" for name in named)})
    return [Path(file).with_suffix(SIDE_CAR_SUFFIX).name] if suffix in TABLE_SUFFIXES else []


def _member(contents: Contents, name: str) -> tuple[str, str]:
    """The member that a name begins with, and the rest: one of several that a member holds."""
    if name in contents.sizes:
        return name, ""
    member, slash, rest = name.rpartition("/")
    if slash and member in contents.sizes:
        return member, rest
    raise RecordingError(SkipReason.VANISHED, "the archive has no such member any more")


@contextmanager
def _private_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ecgscreen-") as folder:  # mode 0700
        yield Path(folder)


def _copy(opened: _Opened, name: str, place: Path, n_bytes: int) -> None:
    with _understood(), opened.open(name) as source, place.open("xb") as target:
        while n_bytes > 0:
            chunk = source.read(min(n_bytes, _CHUNK))
            if not chunk:
                raise RecordingError(SkipReason.TRUNCATED, "a member of the archive ends early")
            target.write(chunk)
            n_bytes -= len(chunk)


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise RecordingError(
            SkipReason.BAD_CONTENT, f"the archive is damaged ({type(error).__name__})"
        ) from error


class _Kept(threading.local):
    """The archive that a thread opened last, since its recordings follow one another."""

    key: tuple[int, ...] = ()
    opened: _Opened | None = None


_kept = _Kept()


def _open(archive: Path, root: Path) -> _Opened:
    with InsideFile(str(archive), root) as file:
        status = os.fstat(file.descriptor)
        key = (os.getpid(), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if _kept.opened is not None and _kept.key == key:
            return _kept.opened
        close_last()
        source = os.fdopen(os.dup(file.descriptor), "rb")
        try:
            with _understood():
                kind = _Zip if archive.suffix.casefold() == ".zip" else _Tar
                opened: _Opened = kind(source, status.st_size, archive.suffix.casefold())
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
            raise _too_large(f"a table of contents of {n_bytes} bytes", MAX_DIRECTORY_BYTES)
        self._source = source
        self._zip = zipfile.ZipFile(source)
        self._names: dict[str, str] = {}
        listing = _Listing(size)
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
            self._file = unpack_tar(source, suffix, partial(_check_unpacked, size))
            source.close()
        self._places: dict[str, int] = {}
        listing = _Listing(size)
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


class _Listing:
    """Sorts the members of an archive into those that are read and those that are refused."""

    def __init__(self, archive_bytes: int) -> None:
        self._archive_bytes = archive_bytes
        self._sizes: dict[str, int] = {}
        self._refused: Counter[str] = Counter()
        self._not_read: set[str] = set()
        self._n_members = 0
        self._n_bytes = 0

    def add(self, name: str, size: int, why: str) -> None:
        """Take a member; `why` says what is wrong with it already."""
        self._n_members += 1
        if self._n_members > MAX_MEMBERS:
            raise _too_large(f"more than {MAX_MEMBERS} members", MAX_MEMBERS)
        self._n_bytes += size
        if self._n_bytes > MAX_UNPACKED_BYTES:
            raise _too_large(f"{self._n_bytes} bytes unpacked", MAX_UNPACKED_BYTES)
        most = max(RATIO_COUNTS_FROM, MAX_RATIO * self._archive_bytes)
        if self._n_bytes > most:
            raise _too_large(f"{self._n_bytes} bytes unpacked of {self._archive_bytes}", most)
        name = name.removeprefix("./")
        if name in self._sizes or name in self._not_read:
            # Which of them is meant nobody knows.
            if self._sizes.pop(name, None) is not None:
                self._refused[_TWICE] += 1
            why = _TWICE
        elif not why and not _is_plain_name(name):
            why = "whose name leads out of it or is none"
        elif not why and not 0 <= size <= MAX_MEMBER_BYTES:
            why = f"of more than {MAX_MEMBER_BYTES} bytes"
        if why:
            self._refused[why] += 1
            self._not_read.add(name)
        else:
            self._sizes[name] = size

    def contents(self) -> Contents:
        """What was found; a name that is a folder for another is refused."""
        folders = {
            name[: match.start()] for name in self._sizes for match in re.finditer("/", name)
        }
        for name in folders & set(self._sizes):
            del self._sizes[name]
            self._refused["whose name is a folder's too"] += 1
        return Contents(self._sizes, self._refused)


def _is_plain_name(name: str) -> bool:
    parts = name.split("/")
    return (
        len(name) <= _MAX_NAME
        and "\0" not in name
        and "\\" not in name
        and not any(part in {"", ".", ".."} or len(os.fsencode(part)) > _MAX_PART for part in parts)
    )


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


def _check_unpacked(archive_bytes: int, n_bytes: int) -> None:
    most = min(MAX_UNPACKED_BYTES, max(RATIO_COUNTS_FROM, MAX_RATIO * archive_bytes))
    if n_bytes > most:
        raise _too_large(f"more than {most} bytes unpacked of {archive_bytes}", most)


def _too_large(found: str, limit: int) -> RecordingError:
    return RecordingError(SkipReason.TOO_LARGE, f"an archive with {found}, the limit is {limit}")
