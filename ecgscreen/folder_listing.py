"""What the files of a folder are: recordings, parts of them, folders, or none of these."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ecgscreen.folder_entry import Entry, PlainEntry
from ecgscreen.found import Found
from ecgscreen.readers.archives import is_archive
from ecgscreen.readers.base import reason_of
from ecgscreen.readers.by_content import EXPECTED, recordings_in
from ecgscreen.readers.formats import SIGNAL_SUFFIXES
from ecgscreen.readers.side_car import SUFFIX as SIDE_CAR_SUFFIX
from ecgscreen.readers.tables import TABLE_SUFFIXES
from ecgscreen.readers.unknown_content import decompressed_name
from ecgscreen.readers.wfdb_files import named_in_header, segments_in_header
from ecgscreen.recording import SkippedRecording, SkipReason
from ecgscreen.shown_names import shown_name
from ecgscreen.stamp import FileStamp

HEADER_SUFFIX = ".hea"
"""Of the file that names a WFDB record."""

_NO_HEADER = (SkipReason.NO_HEADER, "no header of the folder names it, expected a .hea")


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
        self._headers: dict[str, str] = {}  # with their stems, as the signal files
        self._header_stems: set[str] = set()
        self._signals: dict[str, str] = {}
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
            self._signals[name] = stem
        elif not is_recording and is_archive(name):
            shown = shown_name(name) + "/"  # a folder, to be in order
            self._entries.append(Entry(name + "/", shown, None, (name,), is_archive=True))
        elif not is_recording:
            self._add_other(entry)
        elif entry.is_symlink() and (problem := _link_problem(entry.path, self._root)):
            self._problem(name, *problem)
        elif not entry.is_file():
            self._problem(
                name, SkipReason.NOT_A_FILE, "it is a pipe, a socket or a device, expected a file"
            )
        else:
            self._headers[name] = stem

    def entries(self) -> tuple[list[Entry], int]:
        """What was found, sorted, and the number of files that are no recordings."""
        signals: dict[str, list[str]] = {}
        for name in sorted(self._signals):
            signals.setdefault(self._signals[name], []).append(name)
        files_of = {name: (name, *signals.get(stem, ())) for name, stem in self._headers.items()}
        for name in files_of.keys() - self._segments(files_of):
            self._entries.append(Entry(name, shown_name(name), None, files_of[name]))
        packed = {name for name in self._others if decompressed_name(name) != name}
        tables = {name for name in self._others if self._has_side_car(name)}
        for name in tables - packed:
            self._add_recordings(name, [""], _side_car_of(name))
        side_cars = {_side_car_of(name) for name in tables}
        for name, recordings in self._look.recordings(self._others - tables - side_cars - packed):
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
        if packed:
            self._add_compressed(packed, tables)
        # A folder's name ends in a slash, hence this is the order of whole paths too.
        self._entries.sort(key=lambda entry: entry.shown.encode())
        return self._entries, self._n_ignored

    def _has_side_car(self, name: str) -> bool:
        suffix = _split(decompressed_name(name))[1]
        return suffix in TABLE_SUFFIXES and _side_car_of(name) in self._others

    def _add_compressed(self, packed: set[str], tables: set[str]) -> None:
        """Take compressed files, but none that is a copy, or a part, of what has a row."""
        with_row = {file for entry in self._entries for file in entry.files}
        # Those too that another recording's row is for.
        with_row |= self._headers.keys() | self._signals.keys()
        copies = {name for name in packed if decompressed_name(name) in with_row}
        self._n_ignored += len(copies)
        plain = {name: _split(decompressed_name(name)) for name in packed - copies}
        stems = {stem for stem, suffix in plain.values() if suffix == HEADER_SUFFIX}
        stems |= self._header_stems
        parts = {
            name
            for name, (stem, suffix) in plain.items()
            if suffix in SIGNAL_SUFFIXES and stem in stems
        }
        for name in tables & set(plain):
            self._add_recordings(name, [""], _side_car_of(name))
        for name, recordings in self._look.recordings(set(plain) - parts - tables):
            self._n_ignored += not recordings
            self._add_recordings(name, recordings)

    def _add_recordings(self, name: str, recordings: list[str], *others: str) -> None:
        for member in recordings:
            full_name = f"{name}/{member}" if member else name
            self._entries.append(Entry(full_name, shown_name(full_name), None, (name, *others)))

    def _add_other(self, entry: os.DirEntry[str] | PlainEntry) -> None:
        """Take what its name does not tell; a linked folder is not walked, and named if outside."""
        name = entry.name
        if entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112 - a string
            problem = _link_problem(entry.path, self._root)
            if problem is not None and problem[0] is SkipReason.OUTSIDE_FOLDER:
                skipped = SkippedRecording(Path(entry.path), *problem)
                self._entries.append(Entry(name, shown_name(name) + "/", skipped, (name,)))
                return
        self._others.add(name)

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
        orphans = {name for name, stem in self._signals.items() if stem not in self._header_stems}
        named = self._look.named(orphans, files_of)
        # A header may name what is no signal file, but a recording of another format.
        return orphans - {one for one, inside in self._look.recordings(named) if not inside}


def _split(name: str) -> tuple[str, str]:
    """Stem and suffix; building a `Path` for each would double the time of the walk."""
    stem, dot, suffix = name.rpartition(".")
    return stem, (dot + suffix).casefold()


def _side_car_of(table: str) -> str:
    return _split(decompressed_name(table))[0] + SIDE_CAR_SUFFIX


def list_folder(folder: str, root: Path) -> tuple[list[Entry], int] | SkippedRecording:
    """Sort a folder's entries, and count the files that are no recordings; or say why not.

    Parameters
    ----------
    folder, root
        The folder, and the one given, to which reading is confined.
    """
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
