"""Beat times of a prepared window, and what is measured with their help."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_RHYTHM_FIGURES = 3
_INTEGRATION_S = 0.09
_REFRACTORY_S = 0.28
_THRESHOLD = 0.4
_MIN_BEATS = 4
_MIN_WHOLE_BEATS = 3
_BEFORE_S = 0.25
_AFTER_S = 0.45


def beat_samples(window: NDArray[np.float32], sampling_rate: float) -> NDArray[np.intp]:
    """Samples at which the ventricles beat.

    Slopes of all leads, each relative to its own steep ones, are added and smoothed over the
    length of a QRS complex; the highest places come first, and nothing within the refractory
    time around one already taken (slope energy and a refractory time as in Pan & Tompkins, IEEE
    TBME 1985; leads combined and no thresholds carried from beat to beat).

    Parameters
    ----------
    window
        float32, shape (n_leads, n_samples); missing leads are zeros.
    sampling_rate
        In Hz.

    Returns
    -------
    Sample numbers in rising order, shape (n_beats,).
    """
    slope = np.abs(np.diff(window, axis=1))
    steep = np.percentile(slope, 98, axis=1, keepdims=True) + 1e-3
    energy = np.minimum(slope / steep, 2.0).mean(axis=0)
    width = round(_INTEGRATION_S * sampling_rate)
    energy = np.convolve(energy, np.ones(width) / width, "same")
    threshold = _THRESHOLD * np.percentile(energy, 98)
    refractory = round(_REFRACTORY_S * sampling_rate)
    taken = np.zeros(len(energy), dtype=np.bool_)
    for sample in np.argsort(-energy, kind="stable"):
        if energy[sample] < threshold or energy[sample] == 0:
            break
        if not taken[max(0, sample - refractory) : sample + refractory + 1].any():
            taken[sample] = True
    return np.flatnonzero(taken)


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
