"""From the name that a report shows back to the recording."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ecgscreen.objects.address import is_object, spelled
from ecgscreen.readers.pieces import Pieces, open_pieces
from ecgscreen.recording import SkippedRecording, SkipReason
from ecgscreen.shown_names import file_name, shown_name


def open_shown(
    name: str, roots: Sequence[Path], working_directory: Path | None = None
) -> Pieces | SkippedRecording:
    """Open a recording once more, by its name in the reports, to read a piece of it.

    Parameters
    ----------
    name
        As `ecgscreen.found.Found` has it.
    roots
        The folders (or single recordings) that were scanned, as they were given; nothing outside
        them is read.
    working_directory
        What relative ones are relative to; by default the present one.

    Returns
    -------
    The recording, or why it cannot be read; it may have vanished since.
    """
    found = place_of(name, roots, working_directory)
    if found is not None:
        return open_pieces(*found)
    return SkippedRecording(Path(name), SkipReason.VANISHED, "none of the folders holds it")


def path_of(name: str, roots: Sequence[Path], working_directory: Path | None = None) -> Path | None:
    """Say which file a recording's name in the reports stands for; it need not be there.

    Parameters
    ----------
    name, roots, working_directory
        As `open_shown` has them.

    Returns
    -------
    The file, or ``file/member`` for one of several that a file holds; None if none of the
    folders can hold it.
    """
    found = place_of(name, roots, working_directory)
    return None if found is None else found[0]


def place_of(
    name: str, roots: Sequence[Path], working_directory: Path | None = None
) -> tuple[Path, Path] | None:
    """Say as `path_of` which file it is, and to which folder reading it is confined."""
    for given in roots:
        if is_object(given):
            shown = shown_name(spelled(given))
            if name == shown:
                return given, given.parent
            if name.startswith(f"{shown}/"):
                return given / file_name(name.removeprefix(f"{shown}/")), given
            continue
        root = given if working_directory is None else working_directory / given
        is_folder = root.is_dir()
        prefix = "" if len(roots) == 1 else shown_name(str(given).rstrip("/") + "/" * is_folder)
        if is_folder and name.startswith(prefix):
            return root / file_name(name.removeprefix(prefix)), root
        if not is_folder:
            shown = prefix or shown_name(root.name)
            if name == shown:
                return root, root.parent
            if name.startswith(f"{shown}/"):  # one of several that the file holds
                member = file_name(name.removeprefix(f"{shown}/"))
                return root / member, root.parent
    return None


def is_there(place: Path) -> bool:
    """Whether there is a file, or an object, of this name; a link to nothing is one.

    Raises
    ------
    OSError
        If a store of objects does not say.
    """
    if is_object(place):
        from ecgscreen.objects import store

        return store.is_there(place)
    return os.path.lexists(place)
