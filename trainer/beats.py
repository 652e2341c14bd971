"""What is measured with the help of the beats of a prepared window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgscreen.beats import beat_samples

N_RHYTHM_FIGURES = 3
_MIN_BEATS = 4
_MIN_WHOLE_BEATS = 3
_BEFORE_S = 0.25
_AFTER_S = 0.45


def rhythm_figures(windows: NDArray[np.float32], sampling_rate: float) -> NDArray[np.float32]:
    """Rate and irregularity of each window.

    Parameters
    ----------
    windows
        float32, shape (N, n_leads, n_samples).
    sampling_rate
        In Hz.

    Returns
    -------
    float32, shape (N, 3): logarithms of the median RR interval in seconds, of its coefficient of
    variation, and of the mean absolute difference of neighbouring intervals over their mean;
    NaN where fewer than four beats were found.
    """
    figures = np.full((len(windows), N_RHYTHM_FIGURES), np.nan, dtype=np.float32)
    for row, window in zip(figures, windows, strict=True):
        beats = beat_samples(window, sampling_rate)
        if len(beats) >= _MIN_BEATS:
            intervals = np.diff(beats) / sampling_rate
            mean = intervals.mean()
            row[0] = np.log(np.median(intervals))
            row[1] = np.log(intervals.std() / mean + 0.01)
            row[2] = np.log(np.abs(np.diff(intervals)).mean() / mean + 0.01)
    return figures


def median_beat(window: NDArray[np.float32], sampling_rate: float) -> NDArray[np.float32] | None:
    """The shape of a typical beat in every lead, amplitude left out.

    Parameters
    ----------
    window
        float32, shape (n_leads, n_samples).
    sampling_rate
        In Hz.

    Returns
    -------
    float32, shape (n_leads, n): the median over the beats from 0.25 s before to 0.45 s after the
    steepest slope, each lead first divided by its standard deviation; None if fewer than three
    beats lie whole in the window.
    """
    before, after = round(_BEFORE_S * sampling_rate), round(_AFTER_S * sampling_rate)
    beats = beat_samples(window, sampling_rate)
    beats = beats[(beats >= before) & (beats < window.shape[1] - after)]
    if len(beats) < _MIN_WHOLE_BEATS:
        return None
    cuts = np.stack([window[:, beat - before : beat + after] for beat in beats])
    shape: NDArray[np.float32] = np.median(cuts, axis=0)
    shape /= window.std(axis=1, keepdims=True) + np.float32(1e-6)
    return shape
