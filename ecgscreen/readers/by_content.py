"""Reading a file whose format its content tells."""

from __future__ import annotations

import errno
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.formats import (
    HEAD_BYTES,
    NOT_RECORDINGS,
    SIGNAL_SUFFIXES,
    Format,
    recognise,
)
from ecgscreen.readers.limited import (
    Opened,
    members_limited,
    open_limited,
    piece_limited,
    read_limited,
    require_package,
)
from ecgscreen.readers.unknown_content import (
    COMPRESSED,
    Fault,
    decompressed_name,
    fault_of,
    promises_recording,
)
from ecgscreen.recording import Recording, RecordingError, SkipReason

ReadPiece: TypeAlias = Callable[[int, int], NDArray[np.float32]]

EXPECTED = "expected WFDB, or a format of docs/formats.md"

_UNKNOWN: Fault = (SkipReason.UNSUPPORTED, f"its content is of no known format, {EXPECTED}")


def format_of(file: InsideFile) -> tuple[Format | None, bytes]:
    """Recognise the format of an open file; give its beginning, too."""
    head = file.read(min(HEAD_BYTES, file.size))
    return recognise(head), head


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
        With the reason: UNSUPPORTED for an unknown format, and for what is compressed; as
        `fault_of` has it, MISSING_PACKAGE, and the parsers' own.
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
        form, head = format_of(file)
        if form is None and not member:
            raise RecordingError(*_fault_of_unknown(path.name, head, file.size))
        if form is None or (member and not form.holds_several):
            raise RecordingError(*_UNKNOWN)
        require_package(form.package, form.name)
        return read_limited(form.module, file, path, member)


def length_announced(path: Path, root: Path) -> float:
    """Say how long a recording is by the beginning of its file, in seconds.

    0 where that does not tell, or the format is none of those that are read in pieces.
    """
    try:
        with InsideFile(str(path), root) as file:
            form, head = format_of(file)
            return 0.0 if form is None or form.length_s is None else form.length_s(head, file.size)
    except (RecordingError, OSError):
        return 0.0


def open_by_content(path: Path, root: Path) -> tuple[Opened, ReadPiece]:
    """Open a recording of a format that is read in pieces (see `length_announced`).

    Parameters
    ----------
    path, root
        As for `read_by_content`.

    Returns
    -------
    The recording, and what reads a piece of it: from a first sample up to another, float32, shape
    (n_leads, n), raising RecordingError or OSError.

    Raises
    ------
    RecordingError, OSError
        As `read_by_content`.
    """
    with InsideFile(str(path), root) as file:
        form, _ = format_of(file)
        if form is None or form.length_s is None:
            raise RecordingError(SkipReason.VANISHED, "it is another file than a moment ago")
        require_package(form.package, form.name)
        opened = open_limited(form.module, file, path)
    module = form.module

    def read(start: int, stop: int) -> NDArray[np.float32]:
        with InsideFile(str(path), root) as file:
            return piece_limited(module, file, opened, start, stop)

    return opened, read


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
    Nothing if the file is no recording. ``[""]`` if it is one, by its name ought to be one, or
    may be one for all that can be told, being unreadable, outside, cut or compressed: reading it
    says what is wrong. The names of its recordings if it holds several.
    """
    _, _, name = path.rpartition("/")
    if name in NOT_RECORDINGS:
        return []
    suffix = Path(name).suffix.casefold()
    named_so = promises_recording(name)
    try:
        file = InsideFile(path, root)
    except (OSError, RecordingError) as error:
        # A signal file has a row, its header's or its own, whether it can be looked at or not.
        hidden = suffix not in SIGNAL_SUFFIXES and _hides_something(error)
        return [""] if named_so or hidden else []
    with file:
        try:
            form, head = format_of(file)
            if form is None:
                return [""] if named_so or fault_of(name, head, file.size) else []
            if form.holds_several and find_spec(form.package):
                return members_limited(form.module, file)
        except (OSError, RecordingError):
            pass  # of a known format, or meant to be: reading it says what is wrong
    return [""]


def _fault_of_unknown(name: str, head: bytes, size: int) -> Fault:
    is_compressed = decompressed_name(name) != name
    return fault_of(name, head, size) or (COMPRESSED if is_compressed else _UNKNOWN)


def _hides_something(error: OSError | RecordingError) -> bool:
    """Whether there is a file whose content nobody could look at: it is not passed over."""
    if isinstance(error, RecordingError):
        return error.reason is SkipReason.OUTSIDE_FOLDER
    return error.errno not in {errno.ENOENT, errno.ELOOP}
