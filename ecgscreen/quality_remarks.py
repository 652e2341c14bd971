"""What is named of a recording and is no fault: its leads are scored all the same.

Wander and steps lie below, mains hum above what the encoder's filter passes; spikes of a pacemaker
are no artefact. All limits are in mV, so that nothing is named where the unit is no voltage.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgscreen import quality_mains, quality_pacing
from ecgscreen.heard import as_heard
from ecgscreen.quality_baseline import baseline_marks
from ecgscreen.quality_mains import mains_marks
from ecgscreen.quality_pacing import pacing_marks


class Remark(StrEnum):
    """What is named of a lead. The text is what the report shows."""

    STEPS = "steps"
    WANDER = "wander"
    MAINS_50 = "mains hum 50 Hz"
    MAINS_60 = "mains hum 60 Hz"
    PACING = "pacing spikes"


@dataclass(frozen=True, slots=True)
class Noted:
    """A remark, and the leads that it is of.

    Attributes
    ----------
    remark
        What was seen.
    rows
        Rows of the signal, rising.
    """

    remark: Remark
    rows: tuple[int, ...]


Marks: TypeAlias = tuple[Noted, ...]
"""All remarks on a recording, in the order of `Remark`."""

_MAINS = "mains hum"


def lead_remarks(
    deviation: NDArray[np.float32],
    sampling_rate: float,
    resampled: NDArray[np.float32] | None = None,
) -> list[Marks]:
    """Name what stands in each lead.

    Parameters
    ----------
    deviation
        float32, shape (n_recordings, n_leads, n_samples), contiguous: finite samples in mV less
        the mean of their lead; at least a second.
    sampling_rate
        In Hz, of all of them.
    resampled
        See `ecgscreen.heard.as_heard`.

    Returns
    -------
    A recording's remarks; nearly always none. They do not depend on what else is in the array.
    """
    wander, steps = baseline_marks(*as_heard(deviation, sampling_rate, resampled))
    marks = {Remark.STEPS: steps, Remark.WANDER: wander}
    if sampling_rate >= quality_mains.MIN_SAMPLING_RATE:
        fifty, sixty = mains_marks(deviation, sampling_rate)
        marks |= {Remark.MAINS_50: fifty, Remark.MAINS_60: sixty}
    if sampling_rate >= quality_pacing.MIN_SAMPLING_RATE:
        marks[Remark.PACING] = pacing_marks(deviation, sampling_rate)
    noted: list[Marks] = [()] * len(deviation)
    remarks, masks = list(marks), np.array(list(marks.values()))
    for place, number in np.argwhere(masks.any(axis=2)).tolist():
        rows = tuple(np.flatnonzero(masks[place, number]).tolist())
        noted[number] = (*noted[number], Noted(remarks[place], rows))
    return noted


def not_judged(sampling_rate: float) -> tuple[str, ...]:
    """What cannot be told at a sampling rate in Hz, whatever the recording holds.

    An unknown rate (NaN) is that of a recording that was not read: nothing is said of it.
    """
    least = {
        _MAINS: quality_mains.MIN_SAMPLING_RATE,
        str(Remark.PACING): quality_pacing.MIN_SAMPLING_RATE,
    }
    return tuple(name for name, rate in least.items() if sampling_rate < rate)
