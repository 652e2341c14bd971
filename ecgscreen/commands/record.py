"""A recording that a command names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ecgscreen.errors import EcgscreenError

if TYPE_CHECKING:
    from ecgscreen.recording import Recording


def read_record(record: Path) -> Recording:
    """Read it; a WFDB record may be named without its suffix.

    Raises
    ------
    EcgscreenError
        If it cannot be read.
    """
    from ecgscreen.readers import read_recording
    from ecgscreen.recording import SkippedRecording

    # PhysioNet names a record without its suffix.
    header = record.with_name(f"{record.name}.hea")
    if not record.exists() and header.is_file():
        record = header
    recording = read_recording(record)
    if isinstance(recording, SkippedRecording):
        raise EcgscreenError(f"{record}: {recording.reason}: {recording.detail}")
    return recording
