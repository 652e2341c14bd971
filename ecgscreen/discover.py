"""Finding the recordings of a folder: a stable, sorted stream, never a list of a million."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ecgscreen.archives import walk_archive
from ecgscreen.objects.address import is_object
from ecgscreen.readers.archives import is_archive
from ecgscreen.readers.base import reason_of
from ecgscreen.readers.by_content import EXPECTED, recordings_in
from ecgscreen.readers.side_car import SUFFIX as SIDE_CAR_SUFFIX
from ecgscreen.readers.tables import TABLE_SUFFIXES
from ecgscreen.readers.wfdb_files import named_in_header, segments_in_header
from ecgscreen.recording import SkippedRecording, SkipReason
from ecgscreen.stamp import FileStamp, stamp_of

if TYPE_CHECKING:
    from ecgscreen.objects.held import HeldObjects
    from ecgscreen.row_index import IndexedRow

HEADER_SUFFIX = ".hea"
"""Of the file that names a WFDB record."""

SIGNAL_SUFFIXES = frozenset({".dat", ".mat"})
"""Files that hold samples and are nothing without a header that names them."""

_NO_HEADER = (SkipReason.NO_HEADER, "no header of the folder names it, expected a .hea")
_SURROGATE = re.compile("[\udc80-\udcff]")
_AMBIGUOUS_BACKSLASHES = re.compile(r"(\\+)(?=x[0-9a-f]{2}|[\udc80-\udcff])")


@dataclass(frozen=True, slots=True)
class Found:
    """A recording, or a reason why there is none; one row of the report.

    Attributes
    ----------
    path
        The file that names the recording.
    root
        The folder given, to which reading is confined.
    name
        What the report shows, unique within a run: the path relative to the folder given,
        with ``/``; with several folders, after the folder as given. See `shown_name`.
    problem
        Why it cannot be read, as far as that shows without opening it; else None.
    files
        The files that the listing of the folder tells it consists of, as they are now: a header
        and the signal files of its name, a table and its side-car. Reading may open others.
    objects
        In object storage: what is known of its objects, and fetched of them; else None.
    """

    path: Path
    root: Path
    name: str
    problem: SkippedRecording | None
    files: tuple[FileStamp, ...] = field(default=(), compare=False)
    objects: HeldObjects | None = field(default=None, compare=False, repr=False)

    def look_at(self, name: str) -> FileStamp:
        """Say what a file is like that reading told to belong to the recording.

        Parameters
        ----------
        name
            Relative to the folder given.
        """
        if self.objects is not None:
            return self.objects.stamp(name)
        return stamp_of(f"{self.root}/{name}", name, listed=False)


Known: TypeAlias = "Callable[[Found], IndexedRow | None]"
"""The row of a recording that is stored as it is now, or None. What is known needs not be fetched
to tell what it is."""


class Discovery:
    """All recordings below some folders, in the byte order of their names.

    Iterating walks the folders as it goes; every iteration starts anew. A folder's own entries
    are held at a time, and those of the folders above it. Symbolic links to files are followed
    as long as they stay inside the folder given. Links to folders are not walked: what lies
    inside is found under its own name, what lies outside is not to be read. Names that begin
    with a dot are left alone.

    Parameters
    ----------
    roots
        Folders, or single files that name a recording. One that lies inside another is
        covered by it and adds nothing.
    working_directory
        What relative ones are relative to; by default the present one.
    known
        Asked before anything of object storage is opened.

    Attributes
    ----------
    ignored
        After (or during) an iteration: files seen that are no recordings and no part of one.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        working_directory: Path | None = None,
        known: Known = lambda _found: None,
    ) -> None:
        self._known = known
        places = [root if working_directory is None else working_directory / root for root in roots]
        self._as_given = dict(zip(places, roots, strict=True))
        self._roots = _distinct(places)
        self._several = len(roots) > 1
        self.ignored = 0

    def __iter__(self) -> Iterator[Found]:
        self.ignored = 0
        streams = [self._stream(root) for root in self._roots]
        yield from streams[0] if len(streams) == 1 else merge(*streams, key=_order)

    def _stream(self, root: Path) -> Iterator[Found]:
        given = self._as_given[root]
        if is_object(root):
            from ecgscreen.objects.walk import walk_objects

            yield from walk_objects(root, self._known, self._count_ignored)
        elif root.is_dir():
            prefix = shown_name(str(given).rstrip("/") + "/") if self._several else ""
            yield from self._walk(root, prefix)
        else:
            name = shown_name(str(given) if self._several else given.name)
            if is_archive(root.name):
                files = (stamp_of(str(root), root.name),)
                yield from self._in_archive(Found(root, root.parent, name, None, files))
            else:
                yield from in_file(root, name, (stamp_of(str(root), root.name),))

    def _count_ignored(self, n_ignored: int) -> None:
        self.ignored += n_ignored

    def _in_archive(self, archive: Found) -> Iterator[Found]:
        return walk_archive(archive, lambda folder: Discovery([folder]), self._count_ignored)

    def _walk(self, root: Path, prefix: str) -> Iterator[Found]:
        # A stack of listings: as deep as the folders are, where recursion would end at 1,000.
        root_length = len(str(root)) + 1
        stack = [("", prefix, iter([Entry(str(root), "", None, is_folder=True)]))]
        while stack:
            folder, folder_shown, entries = stack[-1]
            entry = next(entries, None)
            if entry is None:
                stack.pop()
                continue
            path, shown = folder + entry.name, folder_shown + entry.shown
            if entry.is_archive:
                file = entry.files[0]
                stamp = stamp_of(folder + file, folder[root_length:] + file)
                name = shown.removesuffix("/")
                archive = Found(Path(folder + file), root, name, None, (stamp,))
                yield from self._in_archive(archive)
                continue
            if not entry.is_folder:
                # Here and not when the folder was listed: just before it is read.
                inside = folder[root_length:]
                files = tuple(stamp_of(folder + file, inside + file) for file in entry.files)
                yield Found(Path(path), root, shown, entry.problem, files)
                continue
            listing = _list_folder(path, root)
            if isinstance(listing, SkippedRecording):
                yield Found(listing.path, root, shown or "./", listing)
            else:
                listed, n_ignored = listing
                self.ignored += n_ignored
                stack.append((path + "/", shown, iter(listed)))


def shown_name(name: str) -> str:
    r"""Write a file name so that it can be stored as UTF-8, and told from every other.

    Parameters
    ----------
    name
        From the file system, where bytes that are no UTF-8 appear as lone surrogates.

    Returns
    -------
    The name itself, with such a byte as ``\xe9`` and the backslashes doubled that would read
    like one. All else, line breaks and tabs too, stands as it is.
    """
    if name.isascii() and "\\" not in name:
        return name
    doubled = _AMBIGUOUS_BACKSLASHES.sub(r"\1\1", name)
    return _SURROGATE.sub(lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", doubled)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a folder holds: a recording, a problem, or a folder.

    Attributes
    ----------
    name
        In the folder; of an archive it ends in a slash.
    shown
        See `shown_name`; of a folder, too, it ends in a slash.
    problem
        As `Found` has it.
    files
        The names of those that a recording consists of.
    is_folder, is_archive
        What it is.
    """

    name: str
    shown: str
    problem: SkippedRecording | None
    files: tuple[str, ...] = ()
    is_folder: bool = False
    is_archive: bool = False


@dataclass(frozen=True, slots=True)
class PlainEntry:
    """An entry of a folder, as `os.DirEntry` has it, where there are no links.

    Attributes
    ----------
    name, path
        Of the entry.
    is_folder
        Else it is a plain file.
    """

    name: str
    path: str
    is_folder: bool

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as there
        """Whether it is a folder."""
        return self.is_folder

    def is_file(self) -> bool:
        """Whether it is a plain file."""
        return not self.is_folder

    def is_symlink(self) -> bool:
        """Say no."""
        return False


class Look:
    """Opens files of a folder as far as it takes to sort it.

    Parameters
    ----------
    folder, root
        The folder, and the one given.
    """

    def __init__(self, folder: str, root: Path) -> None:
        self.folder = folder
        self.root = root

    def segments(self, header: str) -> set[str]:
        """As `segments_in_header`, of a header without a signal file of its name."""
        return segments_in_header(f"{self.folder}/{header}", self.root)

    def named(self, signals: set[str], headers: Mapping[str, Sequence[str]]) -> set[str]:
        """Give those of some signal files that headers name; these with their files."""
        named: set[str] = set()
        for header in headers if signals else ():
            named |= signals & named_in_header(f"{self.folder}/{header}", self.root)
        return named

    def recordings(self, names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """Give for each file its name, and `recordings_in` it."""
        for name in names:
            yield name, recordings_in(f"{self.folder}/{name}", self.root)


class FolderListing:
    """One folder while it is sorted into recordings, signal files, folders and the rest."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._folder = look.folder
        self._root = look.root
        self._headers: set[str] = set()
        self._header_stems: set[str] = set()
        self._signals: set[str] = set()
        self._others: set[str] = set()
        self._entries: list[Entry] = []
        self._n_ignored = 0

    def add(self, entry: os.DirEntry[str] | PlainEntry) -> None:
        """Take an entry."""
        name = entry.name
        stem, suffix = _split(name)
        is_recording = suffix == HEADER_SUFFIX
        if name.startswith("."):
            self._n_ignored += 1
            return
        if is_recording:
            self._header_stems.add(stem)
        if entry.is_dir(follow_symlinks=False):
            if is_recording:
                self._problem(name, SkipReason.NOT_A_FILE, "it is a folder, expected a file")
            else:
                self._entries.append(Entry(name, shown_name(name) + "/", None, is_folder=True))
        elif suffix in SIGNAL_SUFFIXES:
            self._signals.add(name)
        elif is_archive(name):
            shown = shown_name(name) + "/"  # a folder, to be in order
            self._entries.append(Entry(name + "/", shown, None, (name,), is_archive=True))
        elif not is_recording:
            self._others.add(name)
        elif entry.is_symlink() and (problem := _link_problem(entry.path, self._root)):
            self._problem(name, *problem)
        elif not entry.is_file():
            self._problem(
                name, SkipReason.NOT_A_FILE, "it is a pipe, a socket or a device, expected a file"
            )
        else:
            self._headers.add(name)

    def entries(self) -> tuple[list[Entry], int]:
        """What was found, sorted, and the number of files that are no recordings."""
        signals: dict[str, list[str]] = {}
        for name in sorted(self._signals):
            signals.setdefault(_split(name)[0], []).append(name)
        files_of = {name: (name, *signals.get(_split(name)[0], ())) for name in self._headers}
        for name in self._headers - self._segments(files_of):
            files = files_of[name]
            self._entries.append(Entry(name, shown_name(name), None, files))
        tables = {name for name in self._others if self._has_side_car(name)}
        for name in tables:
            self._add_recordings(name, [""], _split(name)[0] + SIDE_CAR_SUFFIX)
        side_cars = {_split(name)[0] + SIDE_CAR_SUFFIX for name in tables}
        for name, recordings in self._look.recordings(self._others - tables - side_cars):
            self._n_ignored += not recordings
            self._add_recordings(name, recordings)
        # Devices call files of other formats .dat, too.
        for name, recordings in self._look.recordings(self._orphans(files_of)):
            if recordings:
                self._add_recordings(name, recordings)
                continue
            path = f"{self._folder}/{name}"
            link_problem = _link_problem(path, self._root) if Path(path).is_symlink() else None
            self._problem(name, *(link_problem or _NO_HEADER))
        # A folder's name ends in a slash, hence this is the order of whole paths too.
        self._entries.sort(key=lambda entry: entry.shown.encode())
        return self._entries, self._n_ignored

    def _has_side_car(self, name: str) -> bool:
        stem, suffix = _split(name)
        return suffix in TABLE_SUFFIXES and stem + SIDE_CAR_SUFFIX in self._others

    def _add_recordings(self, name: str, recordings: list[str], *others: str) -> None:
        for member in recordings:
            full_name = f"{name}/{member}" if member else name
            self._entries.append(Entry(full_name, shown_name(full_name), None, (name, *others)))

    def _problem(self, name: str, reason: SkipReason, detail: str) -> None:
        problem = SkippedRecording(Path(f"{self._folder}/{name}"), reason, detail)
        self._entries.append(Entry(name, shown_name(name), problem, (name,)))

    def _segments(self, files_of: Mapping[str, Sequence[str]]) -> set[str]:
        """Headers that are segments of a multi-segment record, which is the recording.

        The header of such a record has no signal file of its own, so that in a folder of
        ordinary records no header is opened here.
        """
        segments: set[str] = set()
        with_segments: set[str] = set()
        for name, files in files_of.items():
            if len(files) == 1:
                named = self._look.segments(name)
                if named:
                    with_segments.add(name)
                    segments |= named
        # A record with segments is no segment: of two that name each other none would be left.
        return segments - with_segments

    def _orphans(self, files_of: Mapping[str, Sequence[str]]) -> set[str]:
        """Signal files that no header of the folder names."""
        orphans = {name for name in self._signals if _split(name)[0] not in self._header_stems}
        named = self._look.named(orphans, files_of)
        # A header may name what is no signal file, but a recording of another format.
        return orphans - {one for one, inside in self._look.recordings(named) if not inside}


def _split(name: str) -> tuple[str, str]:
    """Stem and suffix; building a `Path` for each would double the time of the walk."""
    stem, dot, suffix = name.rpartition(".")
    return stem, (dot + suffix).casefold()


def _list_folder(folder: str, root: Path) -> tuple[list[Entry], int] | SkippedRecording:
    listing = FolderListing(Look(folder, root))
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                listing.add(entry)
    except OSError as error:
        reason, detail = reason_of(error)
        return SkippedRecording(Path(folder), reason, f"the folder: {detail}")
    return listing.entries()


def _link_problem(path: str, root: Path) -> tuple[SkipReason, str] | None:
    try:
        target = Path(path).resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
        return SkipReason.NOT_A_FILE, "it is a symbolic link to nothing, expected a file"
    if not target.is_relative_to(root.resolve()):
        return SkipReason.OUTSIDE_FOLDER, "a symbolic link leads out of the folder given"
    if target.is_dir():
        return SkipReason.NOT_A_FILE, "it is a folder, expected a file"
    return None


def in_file(path: Path, name: str, files: tuple[FileStamp, ...]) -> Iterator[Found]:
    """Say what a single file that was given holds.

    Parameters
    ----------
    path
        The file.
    name
        As `Found` has it.
    files
        Its stamp.
    """
    suffix = _split(path.name)[1]
    root = path.parent
    if suffix == HEADER_SUFFIX or suffix in TABLE_SUFFIXES:
        yield Found(path, root, name, None, files)
    elif recordings := recordings_in(str(path), root):
        for member in recordings:
            if member:
                yield Found(path / member, root, f"{name}/{shown_name(member)}", None, files)
            else:
                yield Found(path, root, name, None, files)
    elif suffix in SIGNAL_SUFFIXES:
        problem = SkippedRecording(path, SkipReason.NO_HEADER, f"a signal file, {EXPECTED}")
        yield Found(path, root, name, problem, files)
    else:
        problem = SkippedRecording(path, SkipReason.UNSUPPORTED, EXPECTED)
        yield Found(path, root, name, problem, files)


def _order(found: Found) -> bytes:
    return found.name.encode()


def _distinct(roots: Sequence[Path]) -> list[Path]:
    """Leave out what another root covers: its recordings would come twice, by one name."""
    kept: list[tuple[Path, Path]] = []
    resolved = [(root if is_object(root) else root.resolve(), root) for root in roots]
    # Folders before what they hold.
    for real, root in sorted(resolved, key=lambda pair: (len(pair[0].parts), str(pair[1]))):
        if not any(_covers(other, real) for other, _ in kept):
            kept.append((real, root))
    return [root for _, root in kept]


def _covers(folder: Path, path: Path) -> bool:
    if not path.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)
