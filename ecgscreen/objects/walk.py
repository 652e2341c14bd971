"""The walk over a prefix of object storage: as over a folder, without opening what is known.

A folder of objects is listed by one request a thousand of them, while the listings of the folders
after it are under way. Its order, and what counts as a recording, are `ecgscreen.discover`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ecgscreen.folder_entry import Entry, PlainEntry
from ecgscreen.folder_listing import HEADER_SUFFIX, FolderListing, Look, in_file
from ecgscreen.found import Found, Known
from ecgscreen.objects.address import spelled
from ecgscreen.objects.held import WHOLE_BYTES, HeldObjects
from ecgscreen.objects.store import Listing, look_at_root
from ecgscreen.readers.base import reason_of
from ecgscreen.readers.formats import HEAD_BYTES, SIGNAL_SUFFIXES
from ecgscreen.recording import SkippedRecording, SkipReason
from ecgscreen.results import Status
from ecgscreen.shown_names import shown_name
from ecgscreen.stamp import FileStamp

if TYPE_CHECKING:
    from ecgscreen.row_index import IndexedRow

LISTINGS_AHEAD = 16
"""Folders that are listed before their turn."""
HEADS_AHEAD = 64
"""Objects whose beginning is fetched before its turn, to tell what they are."""

_READ = frozenset({Status.SCORED, Status.UNUSABLE})
_NAMELESS = "a part of their names is empty, which no path can be (two slashes); rename them"
_UNKNOWN = "its beginning could not be fetched, hence nobody knows what it holds"
_ARCHIVE = "an archive in object storage is not opened, expected its files beside it"


def walk_objects(root: Path, known: Known, on_ignored: Callable[[int], None]) -> Iterator[Found]:
    """Yield the recordings below a prefix, in the byte order of their names.

    Parameters
    ----------
    root
        The path that stands for the prefix, or for a single object.
    known
        As `ecgscreen.discover.Discovery` has it.
    on_ignored
        Told the number of objects that are no recordings.
    """
    shown = shown_name(spelled(root))
    try:
        entry = look_at_root(root)
    except OSError as error:
        yield Found(root, root, f"{shown}/", _not_listed(root, error))
        return
    if entry.is_folder:
        yield from _walk(root, f"{shown}/", known, on_ignored)
        return
    stamp = FileStamp(root.name, entry.size, entry.mtime_ns)
    with HeldObjects(root.parent, (stamp,), whole_bytes=HEAD_BYTES):
        recordings = list(in_file(root, shown, (stamp,)))
    for found in recordings:
        yield replace(found, objects=HeldObjects(root.parent, (stamp,)))


def _walk(
    root: Path, shown: str, known: Known, on_ignored: Callable[[int], None]
) -> Iterator[Found]:
    # A stack, and a folder at a time, as the walk over folders has it.
    stack = []
    listing: Listing | None = Listing(root)
    inside = ""
    while True:
        if listing is not None:
            folder = _ListedFolder(root, inside, shown, known)
            try:
                on_ignored(folder.sort(listing))
                stack.append(folder)
            except OSError as error:
                yield Found(folder.path, root, shown, _not_listed(folder.path, error))
            listing = None
        if not stack:
            return
        folder = stack[-1]
        entry = next(folder.entries, None)
        if entry is None:
            stack.pop()
        elif entry.is_folder:
            listing = folder.listing_of(entry)
            inside, shown = f"{folder.inside}{entry.name}/", folder.shown + entry.shown
        else:
            yield folder.found(entry)


class _ListedFolder:
    """A folder of objects in the middle of the walk.

    Parameters
    ----------
    root
        The path that stands for the prefix.
    inside
        The folder's name below the root, empty or ending in a slash.
    shown
        As the report shows it, ending in a slash.
    known
        As `ecgscreen.discover.Discovery` has it.
    """

    def __init__(self, root: Path, inside: str, shown: str, known: Known) -> None:
        self.path = Path(f"{root}/{inside}")
        self.inside, self.shown = inside, shown
        self.root, self._known = root, known
        self._stamps: dict[str, FileStamp] = {}
        self._ahead: dict[str, Listing] = {}
        self._folders: Iterator[str] = iter(())
        self.entries: Iterator[Entry] = iter(())

    def sort(self, listing: Listing) -> int:
        """Take the listing, and give the number of objects that are no recordings.

        Raises
        ------
        OSError
            If the folder cannot be listed.
        """
        look = _ObjectLook(self)
        folder = FolderListing(look)
        entries = []
        for name, is_folder, size, mtime_ns in listing.entries():
            if not name:
                problem = SkippedRecording(self.path, SkipReason.NOT_A_FILE, _NAMELESS)
                entries.append(Entry("", "/", problem))
                continue
            folder.add(PlainEntry(name, f"{self.path}/{name}", is_folder))
            if not is_folder:
                self._stamps[name] = FileStamp(self.inside + name, size, mtime_ns)
        with look.objects:
            sorted_entries, n_ignored = folder.entries()
        look.objects.release()
        for name in look.unknown:
            # As if it were a folder: it may hold several recordings, and none of them is gone.
            problem = SkippedRecording(self.path / name, SkipReason.READ_ERROR, _UNKNOWN)
            entries.append(Entry(name, f"{shown_name(name)}/", problem, (name,)))
        entries += sorted_entries
        entries.sort(key=lambda entry: entry.shown.encode())
        self.entries = iter(entries)
        self._folders = (entry.name for entry in sorted_entries if entry.is_folder)
        return n_ignored - len(look.unknown)

    def listing_of(self, folder: Entry) -> Listing:
        """Give the listing of one of its folders, and have the next ones begun."""
        listing = self._ahead.pop(folder.name, None)
        wanted = LISTINGS_AHEAD + (listing is None) - len(self._ahead)
        for name in islice(self._folders, max(0, wanted)):
            self._ahead[name] = Listing(self.path / name)
        return listing or self._ahead.pop(folder.name)

    def found(self, entry: Entry) -> Found:
        """Give one of its recordings."""
        problem = entry.problem
        if entry.is_archive:
            problem = SkippedRecording(self.path / entry.name, SkipReason.UNSUPPORTED, _ARCHIVE)
        files = tuple(self._stamps[name] for name in entry.files)
        path, shown = self.path / entry.name, self.shown + entry.shown
        if entry.is_archive:
            shown = shown.removesuffix("/")
        return Found(path, self.root, shown, problem, files, self.objects(files))

    def objects(self, files: tuple[FileStamp, ...], whole_bytes: int = WHOLE_BYTES) -> HeldObjects:
        """Give what holds some of its objects."""
        return HeldObjects(self.root, files, (self.inside, self._stamps), whole_bytes)

    def known(self, files: Sequence[str]) -> IndexedRow | None:
        """Give the row of a recording that is stored as it is now; its first file names it."""
        stamps = tuple(self._stamps[file] for file in files)
        path, shown = self.path / files[0], self.shown + shown_name(files[0])
        return self._known(Found(path, self.root, shown, None, stamps, self.objects(stamps)))


class _ObjectLook(Look):
    """Fetches no more than the beginnings of objects, and nothing of what is known."""

    def __init__(self, folder: _ListedFolder) -> None:
        super().__init__(str(folder.path), folder.root)
        self._listed = folder
        self.objects = folder.objects((), whole_bytes=HEAD_BYTES)
        self._signal_files: set[str] = set()
        self.unknown: list[str] = []

    def segments(self, header: str) -> set[str]:
        """See `Look`; a record whose reading opened no other header has none."""
        row = self._listed.known([header])
        if row is not None and row.status in _READ and not any(map(_is_header, row.unlisted)):
            return set()
        return super().segments(header)

    def named(self, signals: set[str], headers: Mapping[str, Sequence[str]]) -> set[str]:
        """See `Look`; headers are fetched as far as nobody knows what they name."""
        if not signals:
            return set()
        rows = {header: self._listed.known(files) for header, files in headers.items()}
        inside = len(self._listed.inside)
        named: set[str] = set()
        for row in filter(None, rows.values()):
            opened = {name[inside:] for name in row.unlisted}
            named |= signals & opened
            if row.status in _READ:
                self._signal_files |= signals & opened
        new = {header: headers[header] for header, row in rows.items() if row is None}
        named |= super().named(signals - named, new)
        # A file that none of the known headers named, when they were new, is stored as such.
        unknown = {one for one in signals - named if self._listed.known([one]) is None}
        known = {header: headers[header] for header, row in rows.items() if row is not None}
        return named | super().named(unknown, known)

    def recordings(self, names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """See `Look`."""
        ahead: deque[str] = deque()
        for name in names:
            row = self._listed.known([name])
            if row is not None and row.status in _READ:
                yield name, [""]
                continue
            if row is None and name in self._signal_files:
                yield name, []
                continue
            self.objects.start(self._listed.inside + name, HEAD_BYTES)
            ahead.append(name)
            if len(ahead) > HEADS_AHEAD:
                yield self._recordings_in(ahead.popleft())
        while ahead:
            yield self._recordings_in(ahead.popleft())

    def _recordings_in(self, name: str) -> tuple[str, list[str]]:
        ((_, recordings),) = super().recordings([name])
        was_refused = self.objects.drop(self._listed.inside + name)
        if was_refused and Path(name).suffix.casefold() not in SIGNAL_SUFFIXES:
            self.unknown.append(name)
            return name, []
        return name, recordings


def _is_header(name: str) -> bool:
    return name.casefold().endswith(HEADER_SUFFIX)


def _not_listed(folder: Path, error: OSError) -> SkippedRecording:
    reason, detail = reason_of(error)
    return SkippedRecording(folder, reason, f"the folder: {detail}")
