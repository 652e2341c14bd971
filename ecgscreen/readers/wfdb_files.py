"""Which other files a WFDB header names, without understanding the rest of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.wfdb_header import MAX_HEADER_BYTES, content_lines, read_header
from ecgscreen.readers.wfdb_segments import whole_segments
from ecgscreen.recording import RecordingError

_MULTI_SEGMENT = re.compile(rb"[^\s/]+/\d")


def named_in_header(path: str, root: Path) -> set[str]:
    """Give the file names that the signal lines of a header begin with.

    Parameters
    ----------
    path
        The header; one that cannot be read names nothing.
    root
        The folder given to the scan.
    """
    return {os.fsdecode(token) for token in _first_tokens(path, root)[1:]}


def segments_in_header(path: str, root: Path) -> set[str]:
    """Give the headers of the segments, if it is the header of a multi-segment record.

    Parameters
    ----------
    path, root
        As `named_in_header` has them.

    Returns
    -------
    File names in the header's folder; empty for a record without segments, and for one that cannot
    be read from them: what another header only names is a recording of its own.
    """
    tokens = _first_tokens(path, root)
    if not tokens or not _MULTI_SEGMENT.match(tokens[0]):
        return set()
    try:
        header = read_header(Path(path), root)
        names = whole_segments(header, Path(path), root) if header.segments else set()
    except (OSError, RecordingError):
        return set()
    return {f"{name}.hea" for name in names}


def _first_tokens(path: str, root: Path) -> list[bytes]:
    try:
        with InsideFile(path, root) as file:
            content = file.read(file.size) if file.size <= MAX_HEADER_BYTES else b""
    except (OSError, RecordingError):
        # The reader says what is wrong with it, in a row of its own.
        return []
    return [line.split(maxsplit=1)[0] for line in content_lines(content)]
