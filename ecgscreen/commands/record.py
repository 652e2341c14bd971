"""A recording that a command names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ecgscreen.errors import EcgscreenError

if TYPE_CHECKING:
    from ecgscreen.readers.pieces import Pieces
    from ecgscreen.recording import Recording, SkippedRecording


def read_record(record: Path) -> Recording:
    """Read it; a WFDB record may be named without its suffix.

    Raises
    ------
    EcgscreenError
        If it cannot be read.
    """
    from ecgscreen.readers import read_recording
    from ecgscreen.recording import Recording

    path = _with_suffix(record)
    recording = read_recording(path)
    if isinstance(recording, Recording):
        return recording
    raise _refused(path, recording)


def open_record(record: Path) -> Pieces:
    """Open it, to read no more of it than is shown; a name as for `read_record`.

    Raises
    ------
    EcgscreenError
        If it cannot be read.
    """
    from ecgscreen.readers.pieces import Pieces, open_pieces

    path = _with_suffix(record)
    pieces = open_pieces(path, path.parent)
    if isinstance(pieces, Pieces):
        return pieces
    raise _refused(path, pieces)


def _with_suffix(record: Path) -> Path:
    from ecgscreen.objects.address import is_object

    if is_object(record):
        return record
    # PhysioNet names a record without its suffix.
    header = record.with_name(f"{record.name}.hea")
    return header if not record.exists() and header.is_file() else record


def _refused(path: Path, skipped: SkippedRecording) -> EcgscreenError:
    from ecgscreen.objects.address import is_object, spelled
    from ecgscreen.readers.archives import archived

    in_a_file = archived(path) or path.parent.is_file()
    if not (is_object(path) or in_a_file or os.path.lexists(path)):
        return EcgscreenError(f"{path}: there is no such file", "Look at the path.")
    return EcgscreenError(f"{spelled(path)}: {skipped.reason}: {skipped.detail}")
