"""The signal files of a WFDB record: which signals share one, and opening them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.wfdb_header import Header
from ecgscreen.readers.wfdb_signal_line import SignalSpec
from ecgscreen.recording import RecordingError, SkipReason


def file_groups(header: Header) -> tuple[tuple[int, int], ...]:
    """Split the signals by file: (start, stop) indices, one pair a file.

    Raises
    ------
    RecordingError
        BAD_HEADER if the signals of one file are apart (header(5) wants them together), or
        differ in what they share.
    """
    names = header.file_names
    starts: tuple[int, ...] = (0,)
    if names.count(names[0]) < len(names):
        starts += tuple(i for i in range(1, len(names)) if names[i] != names[i - 1])
        if len(starts) != len(set(names)):
            raise RecordingError(
                SkipReason.BAD_HEADER, "signals of one file are not on consecutive lines"
            )
    return _groups(header.signals, starts)


@lru_cache(maxsize=64)
def _groups(
    signals: tuple[SignalSpec, ...], starts: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Cached, because the recordings of a folder mostly share their signals."""
    groups = tuple(zip(starts, [*starts[1:], len(signals)], strict=True))
    for start, stop in groups:
        first = signals[start]
        for signal in signals[start + 1 : stop]:
            if signal.format != first.format or signal.byte_offset != first.byte_offset:
                raise RecordingError(
                    SkipReason.BAD_HEADER,
                    f"signals of one file in formats {first.format}+{first.byte_offset} and "
                    f"{signal.format}+{signal.byte_offset}, expected one format and offset",
                )
    return groups


def open_signal_file(path: str, root: Path) -> InsideFile:
    """Open a file that a header names.

    Parameters
    ----------
    path
        The header's folder and the name.
    root
        The folder given to the scan.

    Raises
    ------
    RecordingError
        NO_SIGNAL_FILE if it is not there; as `InsideFile` else.
    OSError
        If it cannot be opened.
    """
    try:
        return InsideFile(path, root)
    except FileNotFoundError:
        # Without the error behind it: the name is the header's.
        raise RecordingError(
            SkipReason.NO_SIGNAL_FILE, "the file that the header names is not there"
        ) from None
