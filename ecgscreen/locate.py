"""From the name that a report shows back to the recording."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ecgscreen.discover import shown_name
from ecgscreen.readers import read_recording
from ecgscreen.recording import Recording, SkippedRecording, SkipReason

_SPELLED_BYTE = re.compile(r"(\\+)x([0-9a-f]{2})")


def read_shown(name: str, roots: Sequence[Path]) -> Recording | SkippedRecording:
    """Read a recording once more, by its name in the reports.

    Parameters
    ----------
    name
        As `ecgscreen.discover.Found` has it.
    roots
        The folders (or single recordings) that were scanned; nothing outside them is read.

    Returns
    -------
    The recording, or why it cannot be read; it may have vanished since.
    """
    for root in roots:
        is_folder = root.is_dir()
        prefix = "" if len(roots) == 1 else shown_name(str(root).rstrip("/") + "/" * is_folder)
        if is_folder and name.startswith(prefix):
            return read_recording(root / file_name(name.removeprefix(prefix)), root)
        if not is_folder:
            shown = prefix or shown_name(root.name)
            if name == shown:
                return read_recording(root)
            if name.startswith(f"{shown}/"):  # one of several that the file holds
                member = file_name(name.removeprefix(f"{shown}/"))
                return read_recording(root / member, root.parent)
    return SkippedRecording(Path(name), SkipReason.VANISHED, "none of the folders holds it")


def file_name(shown: str) -> str:
    """Undo `ecgscreen.discover.shown_name`."""
    return _SPELLED_BYTE.sub(_as_in_the_file_system, shown)


def _as_in_the_file_system(match: re.Match[str]) -> str:
    backslashes, digits = match.groups()
    kept = "\\" * (len(backslashes) // 2)
    if len(backslashes) % 2:  # the last one begins a byte; those before it were doubled
        return f"{kept}{chr(0xDC00 + int(digits, 16))}"
    return f"{kept}x{digits}"
