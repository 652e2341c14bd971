"""The unit of a signal whose file names none, from its size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.base import safe_token
from ecgscreen.recording import RecordingError, SkipReason

SMALLEST_MV = 0.05
LARGEST_MV = 20.0
"""Between them lies what a second of an ECG ranges over, from low voltage to the largest QRS
complexes with a good margin. The factor between them is less than 1,000: units exclude each
other."""

_UNITS = (("V", 1e3), ("mV", 1.0), ("uV", 1e-3))


def infer_unit(values: NDArray[np.float64], sampling_rate: float) -> str:
    """Say in which unit a signal has the size of an ECG.

    The size is the median over the leads of the median over the seconds of the range within a
    second: neither a dead lead nor an artefact moves it.

    Parameters
    ----------
    values
        Shape (n_leads, n_samples), all in one unit; NaN where invalid.
    sampling_rate
        In Hz.

    Returns
    -------
    ``V``, ``mV`` or ``uV``.

    Raises
    ------
    RecordingError
        BAD_AMPLITUDE if the size is that of an ECG in none of these units.
    """
    size = _typical_range(values, sampling_rate)
    for unit, millivolts in _UNITS:
        if SMALLEST_MV <= size * millivolts < LARGEST_MV:
            return unit
    raise RecordingError(
        SkipReason.BAD_AMPLITUDE,
        f"the file names no unit, and a range of {safe_token(f'{size:.3g}')} within a second is "
        f"no ECG's in V, mV or uV, expected {SMALLEST_MV:g} to {LARGEST_MV:g} mV",
    )


def _typical_range(values: NDArray[np.float64], sampling_rate: float) -> float:
    n_second = min(max(1, int(sampling_rate)), values.shape[1])
    n_seconds = values.shape[1] // n_second
    seconds = values[:, : n_seconds * n_second].reshape(len(values), n_seconds, n_second)
    with np.errstate(all="ignore"):
        ranges = seconds.max(axis=2) - seconds.min(axis=2)
        ranges = ranges[np.isfinite(ranges).any(axis=1)]
        if not len(ranges):
            return 0.0
        per_lead = [np.median(row[np.isfinite(row)]) for row in ranges]
        return float(np.median(per_lead))
