"""What a folder has: entries as they are listed, and what they turn out to be."""

from __future__ import annotations

from dataclasses import dataclass

from ecgscreen.recording import SkippedRecording


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
