"""Reading a file whose format its content tells."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.formats import HEAD_BYTES, NOT_RECORDINGS, SUFFIXES, Format, recognise
from ecgscreen.readers.limited import members_limited, read_limited, require_package
from ecgscreen.recording import Recording, RecordingError, SkipReason

EXPECTED = "expected WFDB, or a format of docs/formats.md"


def format_of(file: InsideFile) -> Format | None:
    """Recognise the format of an open file."""
    return recognise(file.read(min(HEAD_BYTES, file.size)))


def read_by_content(path: Path, root: Path) -> Recording:
    """Read a recording of any format but WFDB.

    Parameters
    ----------
    path
        The file, or ``file/member`` for one of several recordings in it.
    root
        The folder given to the scan; nothing outside it is read.

    Returns
    -------
    The recording in mV.

    Raises
    ------
    RecordingError
        With the reason: UNSUPPORTED for an unknown format, MISSING_PACKAGE, and the parsers' own.
    OSError
        If the file cannot be opened or read.
    """
    try:
        file, member = InsideFile(str(path), root), ""
    except NotADirectoryError:
        # The default root, the folder of what is read, is a file then.
        folder = root.parent if root == path.parent else root
        file, member = InsideFile(str(path.parent), folder), path.name
    with file:
        form = format_of(file)
        if form is None or (member and not form.holds_several):
            raise RecordingError(
                SkipReason.UNSUPPORTED, f"its content is of no known format, {EXPECTED}"
            )
        require_package(form.package, form.name)
        return read_limited(form.module, file, path, member)


def recordings_in(path: str, root: Path) -> list[str]:
    """Say what a file that is not WFDB's holds, for the walk over a folder.

    Parameters
    ----------
    path
        The file, or whatever else has this name.
    root
        The folder given to the scan.

    Returns
    -------
    Nothing if the file is no recording. ``[""]`` if it is one, or by its name ought to be one:
    reading it says what is wrong. The names of its recordings if it holds several.
    """
    _, _, name = path.rpartition("/")
    if name in NOT_RECORDINGS:
        return []
    named_so = Path(name).suffix.casefold() in SUFFIXES
    try:
        file = InsideFile(path, root)
    except (OSError, RecordingError):
        return [""] if named_so else []
    with file:
        try:
            form = format_of(file)
            if form is None:
                return [""] if named_so else []
            if form.holds_several and find_spec(form.package):
                return members_limited(form.module, file)
        except (OSError, RecordingError):
            pass  # of a known format, or meant to be: reading it says what is wrong
    return [""]
