"""What a walk over folders finds: a recording, or a reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ecgscreen.recording import SkippedRecording
from ecgscreen.stamp import FileStamp, stamp_of

if TYPE_CHECKING:
    from ecgscreen.objects.held import HeldObjects
    from ecgscreen.row_index import IndexedRow


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
        with ``/``; with several folders, after the folder as given. See `ecgscreen.shown_names`.
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
