"""WFDB signal format 8 in pieces: each sample is stored as its difference from the one before.

The ``wfdb`` package takes the header's initial value for the sample before any piece. So a piece is
read from a sample on whose value is known from earlier pieces, and shifted to that value.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.lead_choice import LeadChoice
from ecgscreen.readers.wfdb_header import Header
from ecgscreen.readers.wfdb_library import digital_with_library

_FORMAT = 8
_BLOCK_FRAMES = 1 << 20
"""Read at a time where the samples before a piece were not read yet."""


def are_differences(header: Header) -> bool:
    """Tell whether this module reads the record: format 8, one sample a frame, of known length."""
    return bool(header.n_samples and header.signals) and all(
        signal.format == _FORMAT and signal.samples_per_frame == 1 for signal in header.signals
    )


class RunningSum:
    """Reads any piece of a record, the quicker the less lies between it and what was read before.

    Parameters
    ----------
    header
        For which `are_differences` holds, without skew.
    path, root
        As for `ecgscreen.readers.wfdb_library.read_with_library`.
    leads
        Which of its signals are read.
    """

    def __init__(self, header: Header, path: Path, root: Path, leads: LeadChoice) -> None:
        self._header = header
        self._path = path
        self._root = root
        self._leads = leads
        signals = [header.signals[index] for index in leads.indices]
        self._baselines = np.array([signal.baseline for signal in signals])
        self._gains = np.array([signal.gain for signal in signals])
        self._known = [0]
        self._values: dict[int, NDArray[np.int32]] = {}

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Read from a first sample up to another.

        Returns
        -------
        float32, shape (n_leads, stop - start), in mV where the unit is a voltage: to the bit what
        `read_with_library` gives of the whole record.

        Raises
        ------
        RecordingError, OSError
            As `read_with_library`.
        """
        first = self._known[bisect_right(self._known, start) - 1]
        while start - first > _BLOCK_FRAMES:
            self._digital(first, first + _BLOCK_FRAMES)
            first = self._known[bisect_right(self._known, start) - 1]
        digital = self._digital(first, stop)[start - first :]
        physical = (digital - self._baselines) / self._gains * self._leads.factors
        return np.ascontiguousarray(physical.T, dtype=np.float32)

    def _digital(self, first: int, stop: int) -> NDArray[np.int32]:
        """Samples as the converter gave them, shape (n, n_leads), from a known one on."""
        samples = digital_with_library(
            self._header, self._path, self._root, self._leads.indices, slice(first, stop)
        )
        if first:
            samples += self._values[first] - samples[0]
        if stop - 1 not in self._known:
            insort(self._known, stop - 1)
            self._values[stop - 1] = samples[-1].copy()
        return samples
