"""The waves of a recording's typical beat, found and measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.beats import beat_samples
from ecgscreen.recording import LEADS

_BEFORE_S, _AFTER_S = 0.45, 0.60
_ALIGN_S = 0.04
_MIN_BEATS = 3
_ALIKE = 0.8
_QRS_SEARCH_S = 0.10
_QRS_EDGE = 0.07
_P_LATEST_S, _P_EARLIEST_S = 0.04, 0.34
_P_HALF_S = 0.045
_ST_S = 0.05
_T_FROM_S, _T_TO_S = 0.06, 0.36
_NEXT_P_S = 0.22
_INITIAL_S = 0.04
_EARLY = 0.8
_LIMB_I, _LIMB_AVF = LEADS.index("I"), LEADS.index("aVF")


@dataclass(frozen=True)
class Delineation:
    """What is measured on one window.

    Attributes
    ----------
    rate
        Beats a minute, from the median RR interval.
    irregularity
        Mean absolute difference of neighbouring RR intervals over their mean.
    early_beats, early_odd_beats
        Share of the beats that come early; and of those that are early and of another shape.
    qrs_s, pr_s
        Duration of the QRS complex, and interval from the P wave's begin to it, in s.
    p_height
        Largest deflection before the QRS complex over the QRS complex's height, over all leads.
    axis
        Of the QRS complex in the frontal plane, in degrees, -180 to 180.
    qrs_net, initial, final
        float, shape (12,): mean of the whole QRS complex, of its first and its last 40 ms, over its
        height in the lead.
    r_share
        float, shape (12,): of the QRS complex's height in the lead, what lies above the baseline.
    st, t
        float, shape (12,): ST level 50 ms after the QRS complex, and the T wave's largest
        deflection with its sign, over the QRS complex's height in the lead.
    """

    rate: float
    irregularity: float
    early_beats: float
    early_odd_beats: float
    qrs_s: float
    pr_s: float
    p_height: float
    axis: float
    qrs_net: NDArray[np.float64]
    initial: NDArray[np.float64]
    final: NDArray[np.float64]
    r_share: NDArray[np.float64]
    st: NDArray[np.float64]
    t: NDArray[np.float64]


def delineate(window: NDArray[np.float32], sampling_rate: float) -> Delineation | None:
    """Measure a prepared window.

    Beats are cut out, aligned and averaged by their median, odd ones left out. The QRS complex lies
    where the spatial velocity, the root of the summed squared slopes of all leads, exceeds 7 % of
    its peak; the PR segment before it is the baseline.

    Parameters
    ----------
    window
        float32, shape (12, n_samples); missing leads are zeros.
    sampling_rate
        In Hz.

    Returns
    -------
    None where fewer than three beats lie whole in the window.
    """
    peaks = beat_samples(window, sampling_rate)
    if len(peaks) <= _MIN_BEATS:
        return None
    before, after = round(_BEFORE_S * sampling_rate), round(_AFTER_S * sampling_rate)
    slack = round(_ALIGN_S * sampling_rate)
    whole = (peaks >= before + slack) & (peaks <= window.shape[1] - after - slack)
    if whole.sum() < _MIN_BEATS:
        return None
    cuts = _aligned(window, peaks[whole], before, after, slack)
    likeness = _correlations(cuts, np.median(cuts, axis=0))
    alike = likeness >= min(_ALIKE, float(np.median(likeness)))
    beat = np.median(cuts[alike], axis=0)

    intervals = np.diff(peaks) / sampling_rate
    typical = float(np.median(intervals))
    early = np.zeros(len(peaks), dtype=np.bool_)
    early[1:] = intervals < _EARLY * typical
    odd = np.zeros(len(peaks), dtype=np.bool_)
    odd[whole] = likeness < _ALIKE - 0.2

    velocity = np.sqrt((np.gradient(beat, axis=1) ** 2).sum(axis=0))
    onset, offset = _qrs_edges(velocity, before, round(_QRS_SEARCH_S * sampling_rate))
    first, last = int(np.ceil(onset)), int(np.floor(offset))
    gap = max(1, round(0.02 * sampling_rate))
    level = beat[:, max(0, first - gap - 1) : max(1, first)].mean(axis=1, keepdims=True)
    beat = beat - level
    qrs = beat[:, first : last + 1]
    height = np.ptp(qrs, axis=1) + 1e-6

    def mean_over(begin: int, end: int) -> NDArray[np.float64]:
        part: NDArray[np.float64] = beat[:, begin : max(end, begin + 1)].mean(axis=1) / height
        return part

    edge = round(_INITIAL_S * sampling_rate)
    area = qrs.sum(axis=1)
    axis = np.degrees(np.arctan2(area[_LIMB_AVF] * 2 / np.sqrt(3), area[_LIMB_I]))
    t_from = last + round(_T_FROM_S * sampling_rate)
    t_to = min(
        last + round(_T_TO_S * sampling_rate),
        beat.shape[1],
        # Up to the P wave of the next beat.
        first + max(round((typical - _NEXT_P_S) * sampling_rate), t_from - first + 3),
    )
    wave = beat[:, t_from:t_to]
    top = np.take_along_axis(wave, np.abs(wave).argmax(axis=1)[:, None], axis=1)[:, 0]
    st_at = min(last + round(_ST_S * sampling_rate), beat.shape[1] - 1)
    pr_s, p_height = _atrial(beat, height, onset, typical, sampling_rate)
    return Delineation(
        rate=60 / typical,
        irregularity=float(np.abs(np.diff(intervals)).mean() / intervals.mean()),
        early_beats=float(early.mean()),
        early_odd_beats=float((early & odd).mean()),
        qrs_s=float(offset - onset) / sampling_rate,
        pr_s=pr_s,
        p_height=p_height,
        axis=float(axis),
        qrs_net=mean_over(first, last + 1),
        initial=mean_over(first, first + edge),
        final=mean_over(last + 1 - edge, last + 1),
        r_share=np.maximum(qrs.max(axis=1), 0.0) / height,
        st=beat[:, st_at] / height,
        t=top / height,
    )


def _aligned(
    window: NDArray[np.float32], peaks: NDArray[np.intp], before: int, after: int, slack: int
) -> NDArray[np.float64]:
    """Beats shifted by up to ``slack`` samples to lie on their median; (n_beats, 12, n)."""

    def cut(centres: NDArray[np.intp], begin: int, end: int) -> NDArray[np.float64]:
        places = centres[:, None] + np.arange(begin, end)
        return window[:, places].transpose(1, 0, 2).astype(np.float64)

    reach = 2 * slack
    template = np.median(cut(peaks, -reach, reach), axis=0)
    around = np.lib.stride_tricks.sliding_window_view(
        cut(peaks, -reach - slack, reach + slack), 2 * reach, axis=2
    )
    fits = np.einsum("nlsk,lk->ns", around, template)
    return cut(peaks + fits.argmax(axis=1) - slack, -before, after)


def _correlations(cuts: NDArray[np.float64], template: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of every cut with a template, all leads together; shape (n_beats,)."""
    flat = cuts.reshape(len(cuts), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    wanted = template.ravel() - template.mean()
    norm = np.linalg.norm(flat, axis=1) * np.linalg.norm(wanted) + 1e-12
    found: NDArray[np.float64] = flat @ wanted / norm
    return found


def _qrs_edges(velocity: NDArray[np.float64], centre: int, reach: int) -> tuple[float, float]:
    """Where the velocity crosses its threshold before and after the peak, in samples."""
    peak = centre - reach + int(np.argmax(velocity[centre - reach : centre + reach + 1]))
    threshold = _QRS_EDGE * velocity[peak]

    def crossing(step: int) -> float:
        place = peak
        limit = 2 * reach
        while abs(place - peak) < limit and 1 <= place < len(velocity) - 1:
            following = place + step
            if velocity[following] < threshold:
                drop = velocity[place] - velocity[following] + 1e-12
                return place + step * float((velocity[place] - threshold) / drop)
            place = following
        return float(place)

    return crossing(-1), crossing(1)


def _atrial(
    beat: NDArray[np.float64],
    height: NDArray[np.float64],
    onset: float,
    interval_s: float,
    sampling_rate: float,
) -> tuple[float, float]:
    """PR interval in s, height of the P wave."""
    end = int(onset) - round(_P_LATEST_S * sampling_rate)
    # Of fast rhythms the T wave before would be taken for a P wave.
    earliest = min(_P_EARLIEST_S, max(0.16, interval_s - 0.42))
    begin = max(0, int(onset) - round(earliest * sampling_rate))
    segment = beat[:, begin:end]
    # A straight line from end to end takes away the T wave's tail.
    ramp = np.linspace(0, 1, segment.shape[1])
    line = segment[:, :1] * (1 - ramp) + segment[:, -1:] * ramp
    strength = np.sqrt((((segment - line) / height[:, None]) ** 2).mean(axis=0))
    place = begin + int(np.argmax(strength))
    return float((onset - place) / sampling_rate + _P_HALF_S), float(strength.max())
