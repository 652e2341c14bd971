"""Spikes of a pacemaker: noted, and no fault.

IEC 60601-2-25 and ANSI/AAMI EC11 ask a device to mark pacing pulses from 2 mV and 0.5 ms on. What
a diagnostic low-pass of 150 Hz leaves of such a one is some milliseconds wide and 0.3 mV high: its
area of 1 uV s times twice the cut-off. Haq, Javadekar & Tereshchenko (Computers in Biology and
Medicine 2021, 133: 104396) find pacing artefacts in recordings of 500 Hz by steep slopes where
they begin and end. The same here: a spike rises within 4 ms out of quiet, has lost most of its
height 8 ms later, and stands in two leads at once. A QRS complex does not rise so suddenly, nor
fall back so soon. Three spikes make a note, if they stand out of whatever else is nearly as sharp.

Of the pulses of 140 patients, measured at 32 kHz, more than half were shorter or lower than those
standards ask for (Journal of Electrocardiology 2012, 45), and bipolar ones may leave nothing in a
lead: no note does not mean no pacemaker. Under 500 Hz a spike is a sample or none: not judged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_SAMPLING_RATE = 500.0
"""In Hz."""

SPIKE_MV = 0.2
"""Two thirds of what a low-pass leaves of the smallest pulse that has to be marked."""

MIN_SPIKES = 3

MOST_A_SECOND = 4
"""Two chambers paced 120 times a minute; what comes more often is noise, or mains."""

_LEADS_AT_ONCE = 2
_RISE_S, _QUIET_S, _FALL_S = 0.004, 0.006, 0.008
_QUIET_WEIGHT = 1.5
_FALL_WEIGHT = 1.5
_SUDDEN = 2.5
_APART_S = 0.1


def pacing_marks(deviation: NDArray[np.float32], sampling_rate: float) -> NDArray[np.bool_]:
    """Find the leads in which spikes of a pacemaker stand.

    Parameters
    ----------
    deviation
        float32, shape (n_recordings, n_leads, n_samples), contiguous: finite samples in mV, of at
        least a second.
    sampling_rate
        In Hz, at least `MIN_SAMPLING_RATE`.

    Returns
    -------
    bool, shape (n_recordings, n_leads): all false in a recording without spikes, or with a single
    lead.
    """
    marks = np.zeros(deviation.shape[:2], np.bool_)
    if deviation.shape[1] < _LEADS_AT_ONCE:
        return marks
    rise = round(_RISE_S * sampling_rate)
    quiet = round(_QUIET_S * sampling_rate)
    fall = round(_FALL_S * sampling_rate)
    # Row behind row as one line, which takes a third of the time; what is computed across the
    # end of a row lies beyond the places looked at.
    line = deviation.reshape(-1)
    change = np.empty_like(line)
    np.subtract(line[rise:], line[:-rise], out=change[:-rise])
    change[-rise:] = 0
    np.abs(change, out=change)
    of_leads = np.add.reduce(change.reshape(deviation.shape), axis=1)
    duration_s = deviation.shape[-1] / sampling_rate
    n_places = deviation.shape[-1] - quiet - rise - fall
    later, earlier = of_leads[:, quiet : quiet + n_places], of_leads[:, :n_places]
    sudden = later > _SUDDEN * earlier
    # The cheap questions first, and of all recordings at once: they are nearly always answered
    # with no.
    numbers, places = np.divmod(
        np.flatnonzero(sudden & (later > _LEADS_AT_ONCE * SPIKE_MV)), n_places
    )
    starts = np.arange(deviation.size, step=deviation.shape[-1]).reshape(deviation.shape[:2])
    at = starts[0][:, np.newaxis] + (starts[:, 0].take(numbers) + places)
    rises = line[quiet + rise :].take(at) - line[quiet:].take(at)
    possible = _stand_at_once(np.abs(rises, out=rises))
    heights = _heights(line, at[:, possible], quiet, rise, fall)
    spikes = numbers[possible][_stand_at_once(heights)]
    for number in np.flatnonzero(np.bincount(spikes) >= MIN_SPIKES):
        places = np.flatnonzero(sudden[number] & (later[number] > _LEADS_AT_ONCE * SPIKE_MV / 2))
        heights = _heights(line, starts[number][:, np.newaxis] + places, quiet, rise, fall)
        marks[number] = _in_leads(heights, places / sampling_rate, duration_s)
    return marks


def _stand_at_once(heights: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where in as many leads as count heights (n_leads, n_places) are those of spikes."""
    stand: NDArray[np.bool_] = (heights > SPIKE_MV).sum(axis=0) >= _LEADS_AT_ONCE
    return stand


def _heights(
    line: NDArray[np.float32], at: NDArray[np.intp], quiet: int, rise: int, fall: int
) -> NDArray[np.float32]:
    """How high spikes stand that are to begin after so many quiet samples, in mV; shape of `at`."""
    before, start = line.take(at), line[quiet:].take(at)
    top, after = line[quiet + rise :].take(at), line[quiet + rise + fall :].take(at)
    sign = np.sign(top - start)
    height = np.minimum(sign * (top - start), _FALL_WEIGHT * sign * (top - after))
    stands: NDArray[np.float32] = height - np.float32(_QUIET_WEIGHT) * np.abs(start - before)
    return stands


def _in_leads(
    heights: NDArray[np.float32], times_s: NDArray[np.float64], duration_s: float
) -> NDArray[np.bool_]:
    """Which leads have spikes, from the heights (n_leads, n_places) at rising times."""
    at_once = _at_once(heights)
    # The highest place of each tenth of a second stands for a spike and what rings after it.
    slots = (times_s / _APART_S).astype(np.intp)
    order = np.lexsort((-at_once, slots))
    first = order[np.unique(slots[order], return_index=True)[1]]
    n_nearly = np.count_nonzero(at_once[first] > SPIKE_MV / 2)
    spikes = first[at_once[first] > SPIKE_MV]
    stand_out = 2 * len(spikes) >= n_nearly and n_nearly <= MOST_A_SECOND * duration_s
    if len(spikes) < MIN_SPIKES or not stand_out:
        return np.zeros(len(heights), np.bool_)
    high = heights[:, spikes] > SPIKE_MV / 2
    marks: NDArray[np.bool_] = 2 * high.sum(axis=1) >= len(spikes)
    return marks


def _at_once(heights: NDArray[np.float32]) -> NDArray[np.float32]:
    """How high spikes stand at least, in as many leads as count."""
    at_once: NDArray[np.float32] = np.partition(heights, -_LEADS_AT_ONCE, axis=0)[-_LEADS_AT_ONCE]
    return at_once
