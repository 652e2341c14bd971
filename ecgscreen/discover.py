"""Finding the recordings of a folder: a stable, sorted stream, never a list of a million."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from pathlib import Path

from ecgscreen.archives import walk_archive
from ecgscreen.folder_entry import Entry
from ecgscreen.folder_listing import in_file, list_folder
from ecgscreen.found import Found, Known
from ecgscreen.objects.address import is_object
from ecgscreen.readers.archives import is_archive
from ecgscreen.recording import SkippedRecording
from ecgscreen.shown_names import shown_name
from ecgscreen.stamp import stamp_of


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
        stack = [("", Path(), prefix, iter([Entry(str(root), "", None, is_folder=True)]))]
        while stack:
            folder, folder_path, folder_shown, entries = stack[-1]
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
                files = tuple([stamp_of(folder + file, inside + file) for file in entry.files])
                # From the folder's: to take a whole path apart takes twice as long.
                yield Found(folder_path / entry.name, root, shown, entry.problem, files)
                continue
            listing = list_folder(path, root)
            if isinstance(listing, SkippedRecording):
                yield Found(listing.path, root, shown or "./", listing)
            else:
                listed, n_ignored = listing
                self.ignored += n_ignored
                stack.append((path + "/", Path(path), shown, iter(listed)))


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
