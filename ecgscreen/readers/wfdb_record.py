"""WFDB records: a header (.hea) and its signal files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ecgscreen.readers import wfdb_library, wfdb_signal
from ecgscreen.readers.lead_choice import LeadChoice, choose_leads
from ecgscreen.readers.wfdb_header import SignalSpec, read_header
from ecgscreen.recording import Recording


def read_wfdb(path: Path, root: Path) -> Recording:
    """Read a WFDB record.

    Format 16 (also inside MATLAB v4 files) is read here, everything else in WFDB by the
    ``wfdb`` package behind the same checks.

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
    if wfdb_signal.is_plain(header):
        leads = leads_of(header.signals)
        signal = wfdb_signal.read_plain(header, path.parent, root, leads.indices, leads.factors)
    else:
        leads, signal = wfdb_library.read_with_library(header, path, root)
    return Recording(
        path, signal, header.sampling_rate, leads.names, leads.amplitude_known, leads.notes
    )


@lru_cache(maxsize=64)
def leads_of(signals: tuple[SignalSpec, ...]) -> LeadChoice:
    """Choose the leads of a header; the recordings of a folder mostly share them.

    Raises
    ------
    RecordingError
        NO_KNOWN_LEAD.
    """
    return choose_leads(
        [signal.description for signal in signals], [signal.unit for signal in signals]
    )
