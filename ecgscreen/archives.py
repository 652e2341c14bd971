"""Archives in a walk: a zip or tar is a folder, and ``night.zip/rec001.hea`` lies in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ecgscreen.readers.archives import contents_of, skeleton
from ecgscreen.readers.base import reason_of
from ecgscreen.recording import RecordingError, SkippedRecording, SkipReason

if TYPE_CHECKING:
    from ecgscreen.discover import Discovery
    from ecgscreen.found import Found


def walk_archive(
    archive: Found, walk: Callable[[Path], Discovery], on_ignored: Callable[[int], None]
) -> Iterator[Found]:
    """Yield the recordings of an archive, in the byte order of their names.

    What is refused of it is a row that has the archive's own name, before the others.

    Parameters
    ----------
    archive
        The file, as if it were a recording.
    walk
        Walks a folder; used for one that looks like the archive.
    on_ignored
        Told the number of members that are no recordings; 1 for an archive without any.
    """

    def refused(reason: SkipReason, detail: str) -> Found:
        return replace(archive, problem=SkippedRecording(archive.path, reason, detail))

    try:
        contents = contents_of(archive.path, archive.root)
        if contents.problem:
            yield refused(SkipReason.NOT_A_FILE, contents.problem)
        with skeleton(archive.path, archive.root) as folder:
            inner = walk(folder)
            # A list: what looks like the archive is gone before any of it is read.
            recordings = [_outside(found, folder, archive) for found in inner]
        on_ignored(inner.ignored if recordings or contents.problem else 1)
        yield from recordings
    except RecordingError as error:
        yield refused(error.reason, error.detail)
    except OSError as error:
        yield refused(*reason_of(error))


def _outside(found: Found, folder: Path, archive: Found) -> Found:
    """A recording of the folder as one of the archive: it is new whenever the archive is."""
    path = archive.path / found.path.relative_to(folder)
    problem = None if found.problem is None else replace(found.problem, path=path)
    return replace(archive, path=path, name=f"{archive.name}/{found.name}", problem=problem)
