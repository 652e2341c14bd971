"""What is covered to see what the score loses, and what stands in its place.

Occlusion (Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014): a part
of the input is taken away, and what the score loses is what that part gave. It needs nothing but
the engine, and what it says can be checked by anybody with an eraser. Two things decide whether it
says something about the heart.

*What stands in its place.* A straight line from where the cover begins to where it ends: the lead
without the deflection, which an encoder has seen between any two beats. Zeros would put a step at
each end, an edge that is steeper than many a wave, and the encoder would answer to the step
(Sturmfels, Lundberg & Lee, Visualizing the Impact of Feature Attribution Baselines, Distill 2020,
on baselines that are findings of their own). Another stretch of the same recording would put beats
in place that were not there. Single premature complexes are found with any of the three equally
often (bench/RESULTS.md). Nor is a lead masked: of twelve none is missed much, since its neighbours
tell the same; of an anterior ST elevation a mask names one of V1 to V4 hardly more often than
chance does.

*What is covered at once.* What happens once lies in a window of time, in all leads. What each beat
shows, such as an elevated ST segment, lies in one part of all beats: covered in one beat only, the
others would still say it. So one lead is covered in the P wave, the QRS complex or the ST segment
and T wave of all beats.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

PARTS = ("P", "QRS", "ST-T")
"""The parts of a beat, in their order."""

_P_FROM_S, _QRS_FROM_S, _ST_FROM_S, _T_TO_S = -0.30, -0.06, 0.07, 0.36
"""Where the parts begin, and where the last ends, from the middle of the QRS complex."""

_T_LATEST = 0.6
"""Of the interval to the next beat: in a fast rhythm the T wave ends here, and P may begin."""


def bridged(window: NDArray[np.float32], cover: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Draw straight lines where a window is covered.

    Parameters
    ----------
    window
        float32, shape (n_leads, n_samples).
    cover
        bool, the same shape. At an end of the window the line is level.

    Returns
    -------
    float32, the same shape; zeros in a lead that is covered whole.
    """
    result = window.copy()
    places = np.arange(window.shape[1])
    for lead in np.flatnonzero(cover.any(axis=1)).tolist():
        covered = cover[lead]
        seen = ~covered
        if seen.any():
            result[lead, covered] = np.interp(places[covered], places[seen], window[lead, seen])
        else:
            result[lead] = 0
    return result


def sliding(n_samples: int, width: int, step: int) -> NDArray[np.bool_]:
    """Windows of time that overlap and reach both ends.

    Parameters
    ----------
    n_samples
        Of the recording's window.
    width, step
        In samples.

    Returns
    -------
    bool, shape (T, n_samples): the middle of window t lies at about ``t * step``.
    """
    middles = np.arange(0, n_samples + step, step)
    distance = np.abs(np.arange(n_samples)[None, :] + 0.5 - middles[:, None])
    inside: NDArray[np.bool_] = distance < width / 2
    return inside[inside.any(axis=1)]


def parts_of_beats(
    beats: NDArray[np.intp], n_samples: int, sampling_rate: float
) -> NDArray[np.bool_]:
    """Which samples belong to which part of a beat.

    Parameters
    ----------
    beats
        Samples of the QRS complexes, rising (`ecgscreen.beats.beat_samples`).
    n_samples, sampling_rate
        Of the window.

    Returns
    -------
    bool, shape (3, n_samples), in the order of `PARTS`; no sample in two of them.
    """
    parts = np.zeros((len(PARTS), n_samples), np.bool_)
    times = np.arange(n_samples) / sampling_rate
    middles = beats / sampling_rate
    for k, middle in enumerate(middles.tolist()):
        before = middles[k - 1] if k else -np.inf
        after = middles[k + 1] if k + 1 < len(middles) else np.inf
        earliest = before + min(_T_TO_S, _T_LATEST * (middle - before))
        latest = middle + min(_T_TO_S, _T_LATEST * (after - middle))
        edges = (
            (max(middle + _P_FROM_S, earliest), middle + _QRS_FROM_S),
            (middle + _QRS_FROM_S, middle + _ST_FROM_S),
            (middle + _ST_FROM_S, latest),
        )
        for part, (begin, end) in enumerate(edges):
            parts[part] |= (times >= begin) & (times < end)
    # The QRS complex first: where beats follow one another within its own length, it is sure.
    parts[0] &= ~parts[1]
    parts[2] &= ~(parts[1] | parts[0])
    return parts


def covers(
    rows: NDArray[np.bool_], leads: NDArray[np.intp], n_leads: int
) -> Iterator[NDArray[np.bool_]]:
    """Cover each of some stretches of time in each lead by itself.

    Parameters
    ----------
    rows
        bool, shape (R, n_samples).
    leads
        Which.
    n_leads
        Of the window.

    Yields
    ------
    bool, shape (n_leads, n_samples): all stretches of the first lead, then of the next.
    """
    for lead in leads.tolist():
        for row in rows:
            cover = np.zeros((n_leads, rows.shape[1]), np.bool_)
            cover[lead] = row
            yield cover
