"""All other WFDB formats, through the ``wfdb`` package, once our own checks have passed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.lead_choice import LeadChoice, choose_leads
from ecgscreen.readers.wfdb_header import Header
from ecgscreen.recording import RecordingError, SkipReason


def read_with_library(
    header: Header, path: Path, root: Path
) -> tuple[LeadChoice, NDArray[np.float32]]:
    """Read a record of any format that the ``wfdb`` package knows."""
    leads = choose_leads(
        tuple([signal.description for signal in header.signals]),
        tuple([signal.unit for signal in header.signals]),
    )
    import wfdb

    try:
        record = wfdb.rdrecord(str(path.with_suffix("")))
    except ValueError as error:
        raise RecordingError(SkipReason.UNSUPPORTED, "refused by the wfdb package") from error
    physical = record.p_signal[:, leads.indices] * np.array(leads.factors)
    return leads, np.ascontiguousarray(physical.T, np.float32)
