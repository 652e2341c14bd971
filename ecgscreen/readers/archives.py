"""Zip and tar archives as folders: what they hold, with caps, and a record's files for its reader.

Nothing is unpacked but the beginnings of files, to tell what they are, and the files of the one
record that is being read; both into a folder that only this user may read (mode 0700) and that is
removed at once. A compressed tar is unpacked once into a file without a name, so that its members
can be found again. Members are never opened by their name in the file system; what is no plain
file, or leads out of the archive by its name, is refused. Archives in archives are not looked at.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecgscreen.readers.archive_files import OpenedArchive, open_archive, understood
from ecgscreen.readers.archive_listing import MAX_MEMBER_BYTES, Contents
from ecgscreen.readers.formats import HEAD_BYTES
from ecgscreen.readers.opened import not_noting
from ecgscreen.readers.side_car import SUFFIX as SIDE_CAR_SUFFIX
from ecgscreen.readers.tables import TABLE_SUFFIXES
from ecgscreen.readers.wfdb_files import named_in_header
from ecgscreen.readers.wfdb_header import MAX_HEADER_BYTES
from ecgscreen.recording import RecordingError, SkipReason

_CHUNK = 1 << 20
_HEADER = ".hea"
_WHOLE = frozenset({".hea", ".json", ".h5", ".hdf5"})
"""Told apart by more than their beginnings."""
_SUFFIX = re.compile(r"\.(?:zip|tar(?:\.(?:gz|bz2|xz))?|tgz|tbz2|txz)(?=/|$)", re.IGNORECASE)


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


def contents_of(archive: Path, root: Path) -> Contents:
    """List an archive.

    Raises
    ------
    RecordingError
        As `open_archive`.
    OSError
        If it cannot be opened or read.
    """
    return open_archive(archive, root).contents


@contextmanager
def skeleton(archive: Path, root: Path) -> Iterator[Path]:
    """Give a folder that looks like the archive to who tells recordings by names and beginnings.

    Headers, side-cars and HDF5 are whole; of other files there is the beginning, and a hole.

    Raises
    ------
    RecordingError, OSError
        As `contents_of`.
    """
    opened = open_archive(archive, root)
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
    opened = open_archive(archive, root)
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


def _copy(opened: OpenedArchive, name: str, place: Path, n_bytes: int) -> None:
    with understood(), opened.open(name) as source, place.open("xb") as target:
        while n_bytes > 0:
            chunk = source.read(min(n_bytes, _CHUNK))
            if not chunk:
                raise RecordingError(SkipReason.TRUNCATED, "a member of the archive ends early")
            target.write(chunk)
            n_bytes -= len(chunk)
