"""Single-segment WFDB records: from a header to signals in mV."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.base import check_size
from ecgscreen.readers.lead_choice import LeadChoice, choose_leads
from ecgscreen.readers.wfdb_header import Header
from ecgscreen.readers.wfdb_library import read_with_library
from ecgscreen.readers.wfdb_signal import is_plain, read_plain
from ecgscreen.readers.wfdb_signal_line import SignalSpec


def read_signals(header: Header, path: Path, root: Path, leads: LeadChoice) -> NDArray[np.float32]:
    """Read the chosen leads, whatever their signal format.

    Parameters
    ----------
    header
        Of a record without segments.
    path
        The header's file.
    root
        The folder given to the scan.
    leads
        From `leads_of`.

    Returns
    -------
    float32, shape (n_leads, n_samples), in mV where the unit is a voltage.

    Raises
    ------
    RecordingError, OSError
        As `read_plain` and `read_with_library`.
    """
    if header.n_samples is not None:
        check_size(header.n_signals, header.n_samples)
    if is_plain(header):
        return read_plain(header, path, root, leads.indices, leads.factors)
    return read_with_library(header, path, root, leads.indices, leads.factors)


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
