"""WFDB records: a header (.hea) and what it names."""

from __future__ import annotations

from pathlib import Path

from ecgscreen.readers.wfdb_header import read_header
from ecgscreen.readers.wfdb_segments import read_segments
from ecgscreen.readers.wfdb_single import leads_of, read_signals
from ecgscreen.recording import Recording


def read_wfdb(path: Path, root: Path) -> Recording:
    """Read a WFDB record.

    Format 16 (also inside MATLAB v4 files) is read by our own code, the other signal formats by
    the ``wfdb`` package behind the same checks.

    Parameters
    ----------
    path
        The header.
    root
        The folder given to the scan; nothing outside it is read.

    Returns
    -------
    The recording in mV, its known leads in the order of the file.

    Raises
    ------
    RecordingError
        With the reason, whatever the files hold.
    OSError
        If a file cannot be opened or read.
    """
    header = read_header(path, root)
    if header.segments:
        return read_segments(header, path, root)
    leads = leads_of(header.signals)
    signal = read_signals(header, path, root, leads)
    return Recording(
        path,
        signal,
        header.sampling_rate,
        leads.names,
        leads.amplitude_known,
        leads.notes + header.notes,
        header.acquired,
    )
